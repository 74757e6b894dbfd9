//! Roles and their options.

use super::Utility;
use super::reader::Reader;
use crate::parse::is_word;
use base::{Error, Result, SqlState};
use sqlparser::tokenizer::Token;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleOption {
    Superuser(bool),
    Login(bool),
    CreateDatabase(bool),
    CreateRole(bool),
    /// `None`: no password.
    Password(Option<String>),
    /// Taken, without effect.
    Other,
}

impl Reader<'_, '_, '_> {
    pub(super) fn create_role(&mut self) -> Result<Utility> {
        self.next();
        let user = is_word(&self.next(), "USER");
        let name = self.name()?;
        let mut options = vec![RoleOption::Login(user)];
        options.extend(self.role_options()?);
        Ok(Utility::CreateRole { name, options })
    }

    fn role_options(&mut self) -> Result<Vec<RoleOption>> {
        self.accept("WITH");
        let mut options = Vec::new();
        while !self.at_end() {
            let option = self.name()?;
            options.push(match option.as_str() {
                "superuser" => RoleOption::Superuser(true),
                "nosuperuser" => RoleOption::Superuser(false),
                "login" => RoleOption::Login(true),
                "nologin" => RoleOption::Login(false),
                "createdb" => RoleOption::CreateDatabase(true),
                "nocreatedb" => RoleOption::CreateDatabase(false),
                "createrole" => RoleOption::CreateRole(true),
                "nocreaterole" => RoleOption::CreateRole(false),
                "encrypted" => continue,
                "password" if self.accept("NULL") => RoleOption::Password(None),
                "password" => RoleOption::Password(Some(self.text()?)),
                "inherit" | "noinherit" | "replication" | "noreplication" | "bypassrls" | "nobypassrls" => RoleOption::Other,
                "connection" => {
                    self.expect("LIMIT")?;
                    if self.integer()? != -1 {
                        return Err(Error::unsupported("CONNECTION LIMIT"));
                    }
                    RoleOption::Other
                }
                "valid" => return Err(Error::unsupported("VALID UNTIL")),
                "in" | "role" | "admin" | "user" => return Err(Error::unsupported("membership in roles")),
                other => {
                    return Err(Error::new(SqlState::SYNTAX_ERROR, format!("unrecognized role option \"{other}\"")));
                }
            });
        }
        Ok(options)
    }

    pub(super) fn alter_role(&mut self) -> Result<Utility> {
        self.next();
        self.next();
        let name = self.name()?;
        if self.accept("RENAME") {
            self.expect("TO")?;
            return Ok(Utility::RenameRole { name, to: self.name()? });
        }
        if self.peek("SET") || self.peek("RESET") || self.peek("IN") {
            return Err(Error::unsupported("ALTER ROLE … SET"));
        }
        Ok(Utility::AlterRole { name, options: self.role_options()? })
    }

    pub(super) fn drop_role(&mut self) -> Result<Utility> {
        self.next();
        self.next();
        let if_exists = self.if_exists()?;
        let mut names = vec![self.name()?];
        while self.accept_token(&Token::Comma) {
            names.push(self.name()?);
        }
        Ok(Utility::DropRole { names, if_exists })
    }
}
