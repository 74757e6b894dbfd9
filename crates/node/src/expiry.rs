//! The task that releases pending transfers of the ledger when their time has come: on the node that leads slot 0.

use crate::backend::NodeBackend;
use crate::session::INTERNAL_SESSIONS;
use base::{SessionId, SlotId};
use sql::backend::Backend;
use sql::ledger::EXPIRED_MAX;
use std::rc::Rc;
use std::time::Duration;

pub(crate) const EXPIRER: SessionId = SessionId(INTERNAL_SESSIONS + 3);
/// Between two looks: timeouts are whole seconds.
const LOOK: Duration = Duration::from_secs(1);

/// Never ends.
pub(crate) async fn expire(backend: NodeBackend) {
    let core = Rc::clone(&backend.core);
    let backend: Rc<dyn Backend> = Rc::new(backend);
    loop {
        backend.sleep(LOOK).await;
        let leads = {
            let core = core.borrow();
            let first = core.routing.shard_of(SlotId(0));
            core.draining_since.is_none() && core.led().iter().any(|(shard, _)| *shard == first)
        };
        if !leads {
            continue;
        }
        loop {
            match sql::ledger::expire(Rc::clone(&backend)).await {
                Ok(released) if released as usize >= EXPIRED_MAX => {}
                Ok(_) => break,
                Err(error) => {
                    // Leaders change, rows are locked: the next look does it.
                    core.borrow_mut().info(format!("pending transfers could not be expired: {error}"));
                    break;
                }
            }
        }
    }
}
