//! Roles and their passwords. A password is kept as the verifier of RFC 5803 alone.

use crate::catalog::{Role, store};
use crate::client::Severity;
use crate::parse::utility::RoleOption;
use crate::scram;
use crate::session::Session;
use crate::session::txn::Exec;
use base::{Error, Result, SqlState};
use std::sync::Arc;

impl Session {
    fn check_may_manage_roles(&self) -> Result<()> {
        let catalog = self.catalog();
        let allowed = catalog.roles.get(&*self.user).is_some_and(|role| role.superuser || role.create_role);
        if allowed { Ok(()) } else { Err(Error::new(SqlState::INSUFFICIENT_PRIVILEGE, "permission denied to manage roles")) }
    }

    fn apply_role_options(&mut self, role: &mut Role, options: &[RoleOption]) -> Result<()> {
        for option in options {
            match option {
                RoleOption::Superuser(on) => {
                    if *on {
                        self.superuser_change("make a superuser")?;
                    }
                    role.superuser = *on;
                }
                RoleOption::Login(on) => role.login = *on,
                RoleOption::CreateDatabase(on) => role.create_database = *on,
                RoleOption::CreateRole(on) => role.create_role = *on,
                RoleOption::Password(None) => role.scram = None,
                RoleOption::Password(Some(password)) => role.scram = Some(self.verifier(password)),
                RoleOption::Other => {}
            }
        }
        Ok(())
    }

    fn verifier(&self, password: &str) -> String {
        if scram::is_verifier(password) {
            return password.to_owned();
        }
        let mut salt = [0u8; 16];
        salt[..8].copy_from_slice(&self.backend.random().to_be_bytes());
        salt[8..].copy_from_slice(&self.backend.random().to_be_bytes());
        scram::verifier(password, &salt)
    }

    fn put_role(&mut self, role: Role) -> Result<()> {
        self.put_descriptor(store::role_key(role.oid), Some(store::role_row(&role)?));
        self.edit_catalog(|catalog| drop(catalog.roles.insert(role.name.clone(), Arc::new(role))));
        Ok(())
    }

    pub(crate) async fn create_role(&mut self, name: &str, options: &[RoleOption]) -> Exec<()> {
        self.check_may_manage_roles()?;
        self.begin_change().await?;
        self.check_role_name(name)?;
        let oid = self.new_oid();
        let mut role =
            Role { oid, name: name.to_owned(), superuser: false, login: false, create_database: false, create_role: false, scram: None };
        self.apply_role_options(&mut role, options)?;
        Ok(self.put_role(role)?)
    }

    fn check_role_name(&self, name: &str) -> Result<()> {
        if self.catalog().roles.contains_key(name) {
            return Err(Error::new(SqlState::DUPLICATE_OBJECT, format!("role \"{name}\" already exists")));
        }
        if name.starts_with("pg_") || matches!(name, "public" | "none") {
            return Err(Error::new(SqlState(*b"42939"), format!("role name \"{name}\" is reserved")));
        }
        Ok(())
    }

    pub(crate) async fn alter_role(&mut self, name: &str, options: &[RoleOption]) -> Exec<()> {
        let own_password = *name == *self.user && options.iter().all(|option| matches!(option, RoleOption::Password(_)));
        if !own_password {
            self.check_may_manage_roles()?;
        }
        self.begin_change().await?;
        let name = if matches!(name, "current_user" | "session_user" | "current_role") { self.user.to_string() } else { name.to_owned() };
        let mut role = (*self.catalog().role(&name)?).clone();
        if role.superuser && !own_password {
            self.superuser_change("alter a superuser")?;
        }
        self.apply_role_options(&mut role, options)?;
        Ok(self.put_role(role)?)
    }

    pub(crate) async fn rename_role(&mut self, name: &str, to: &str) -> Exec<()> {
        self.check_may_manage_roles()?;
        self.begin_change().await?;
        self.check_role_name(to)?;
        let role = self.catalog().role(name)?;
        self.edit_catalog(|catalog| drop(catalog.roles.remove(name)));
        Ok(self.put_role(Role { name: to.to_owned(), ..(*role).clone() })?)
    }

    pub(crate) async fn drop_roles(&mut self, names: &[String], if_exists: bool) -> Exec<()> {
        self.check_may_manage_roles()?;
        self.begin_change().await?;
        for name in names {
            let role = match self.catalog().role(name) {
                Err(error) if if_exists => {
                    self.notice(Severity::Notice, Error::new(SqlState::SUCCESSFUL, format!("{}, skipping", error.message())));
                    continue;
                }
                found => found?,
            };
            if *name == *self.user {
                return Err(Error::new(SqlState::OBJECT_IN_USE, "current user cannot be dropped").into());
            }
            if name == store::FIRST_ROLE {
                return Err(Error::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, "cannot drop the role that every cluster needs").into());
            }
            self.put_descriptor(store::role_key(role.oid), None);
            self.edit_catalog(|catalog| drop(catalog.roles.remove(name)));
        }
        Ok(())
    }
}
