//! Runs an administrative function and answers what it says, as text.

use super::Run;
use super::source::Source;
use crate::plan::admin::AdminPlan;
use crate::session::Session;
use crate::session::txn::Exec;
use crate::value::Value;
use base::Result;
use std::sync::Arc;

impl Session {
    pub(crate) async fn run_admin(&mut self, plan: &AdminPlan, run: &mut Run) -> Exec<Source> {
        self.check_superuser("administrate the cluster")?;
        let arguments = plan.arguments.iter().map(|a| a.eval(&(), &run.env())).collect::<Result<Vec<_>>>()?;
        let answer = self.backend.admin(plan.command.clone(), arguments).await?;
        let text = match answer {
            Value::Text(text) => text,
            Value::Bool(answer) => Arc::from(if answer { "t" } else { "f" }),
            other => match other.as_i64() {
                Some(number) => Arc::from(number.to_string()),
                None => Arc::from(format!("{other:?}")),
            },
        };
        Ok(Source::of(vec![vec![Value::Text(text)]]))
    }
}
