//! DELETE: as UPDATE, with nothing left.

use super::Run;
use super::insert::Changed;
use crate::plan::dml::DeletePlan;
use crate::session::Session;
use crate::session::txn::Exec;
use storage::access::LockMode;

impl Session {
    pub(crate) async fn run_delete(&mut self, plan: &DeletePlan, run: &mut Run) -> Exec<Changed> {
        let mut changed = Changed::default();
        if let Some(query) = &plan.from {
            self.delete_from(plan, query, &mut changed, run).await?;
            return Ok(changed);
        }
        let mut walk = self.victims(&plan.table, &plan.access, plan.filter.as_ref(), false, run).await?;
        while let Some(rows) = self.next_victims(&mut walk, &plan.table, plan.filter.as_ref(), LockMode::Update, run).await? {
            for (stored, old) in rows {
                self.write_delete(&plan.table, &stored, &old, run).await?;
                changed.rows += 1;
                self.return_row(&plan.returning, &old, &mut changed, run)?;
            }
            self.stage_if_large().await?;
        }
        Ok(changed)
    }
}
