//! Batches on their way: takes from the batcher, sends, tells each waiting task its outcomes.

use crate::batcher::{Batch, Batcher, Group, Limits};
use crate::error::{Error, Result};
use crate::model::Outcome;
use crate::options::Options;
use crate::pool::Pool;
use crate::wire;
use ledger::packed::{self, BATCH_EVENTS_MAX};
use ledger::{Account, Transfer};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_postgres::types::Type;

/// Most events that wait or are on their way, for each of accounts and transfers: who comes later waits for room.
pub const QUEUED_EVENTS_MAX: usize = 16 * BATCH_EVENTS_MAX;

const _: () = assert!(QUEUED_EVENTS_MAX <= u32::MAX as usize && QUEUED_EVENTS_MAX >= BATCH_EVENTS_MAX);

/// What travels packed.
pub trait Packed: Send + Sync + Sized + 'static {
    const SQL: &'static str;
    fn pack<'a>(events: impl Iterator<Item = &'a Self>) -> Vec<u8>;
    fn id(&self) -> u128;
}

impl Packed for Transfer {
    const SQL: &'static str = "SELECT ledger.create_transfers($1)";

    fn pack<'a>(events: impl Iterator<Item = &'a Transfer>) -> Vec<u8> {
        packed::encode_transfers(events)
    }

    fn id(&self) -> u128 {
        self.id
    }
}

impl Packed for Account {
    const SQL: &'static str = "SELECT ledger.create_accounts($1)";

    fn pack<'a>(events: impl Iterator<Item = &'a Account>) -> Vec<u8> {
        packed::encode_accounts(events)
    }

    fn id(&self) -> u128 {
        self.id
    }
}

struct Reply {
    sender: oneshot::Sender<Result<Vec<Outcome>>>,
    /// Gives the room in the queue back when the outcomes are told.
    _room: OwnedSemaphorePermit,
}

struct Shared<E> {
    batcher: Mutex<Batcher<E, Reply>>,
    pool: Pool,
}

pub struct Sender<E> {
    shared: Arc<Shared<E>>,
    room: Arc<Semaphore>,
    events: PhantomData<E>,
}

impl<E: Packed> Sender<E> {
    pub fn new(options: &Options) -> Sender<E> {
        let limits = Limits { events: BATCH_EVENTS_MAX, in_flight: options.batches_in_flight, partial_in_flight: 1 };
        let pool = Pool::new(options.clone(), options.batches_in_flight);
        let shared = Arc::new(Shared { batcher: Mutex::new(Batcher::new(limits)), pool });
        Sender { shared, room: Arc::new(Semaphore::new(QUEUED_EVENTS_MAX)), events: PhantomData }
    }

    /// Sends events in one batch, in order, with whatever else is to leave. At most [`BATCH_EVENTS_MAX`] of them.
    ///
    /// # Errors
    /// Of the batch as a whole; a refusal is an outcome.
    pub async fn send(&self, events: Vec<E>, imported: bool) -> Result<Vec<Outcome>> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        if events.len() > BATCH_EVENTS_MAX {
            return Err(Error::invalid(format!("{} events are more than a batch of {BATCH_EVENTS_MAX} takes", events.len())));
        }
        let count = u32::try_from(events.len()).expect("a batch is smaller than 2^32");
        let room = Arc::clone(&self.room).acquire_many_owned(count).await.expect("nobody closes it");
        let (sender, outcomes) = oneshot::channel();
        self.shared.batcher().offer(Group { events, imported, reply: Reply { sender, _room: room } });
        pump(&self.shared);
        outcomes.await.unwrap_or_else(|_| Err(Error::answer("the task that sends was ended with its runtime")))
    }
}

impl<E> Shared<E> {
    fn batcher(&self) -> MutexGuard<'_, Batcher<E, Reply>> {
        self.batcher.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts what may leave. The batch itself is taken when its task runs, so that whoever is ready at the same time comes along.
fn pump<E: Packed>(shared: &Arc<Shared<E>>) {
    while shared.batcher().reserve() {
        tokio::spawn(carry(Arc::clone(shared)));
    }
}

async fn carry<E: Packed>(shared: Arc<Shared<E>>) {
    let Some(Batch { groups, imported }) = shared.batcher().take() else { return };
    let mut outcomes = deliver(&shared.pool, &groups).await.map(Vec::into_iter);
    for group in groups {
        let told = match &mut outcomes {
            Ok(outcomes) => Ok(outcomes.by_ref().take(group.events.len()).collect()),
            Err(error) => Err(error.clone()),
        };
        // Who does not wait any more need not hear it.
        drop(group.reply.sender.send(told));
    }
    shared.batcher().done(imported);
    pump(&shared);
}

async fn deliver<E: Packed>(pool: &Pool, groups: &[Group<E, Reply>]) -> Result<Vec<Outcome>> {
    let events = || groups.iter().flat_map(|group| &group.events);
    let bytes = E::pack(events());
    let ids: Vec<u128> = events().map(E::id).collect();
    let rows = pool.ask(E::SQL, &[(&bytes, Type::BYTEA)]).await?;
    let answer = rows.first().ok_or_else(|| Error::answer("no row"))?;
    let answer: &[u8] = answer.try_get(0).map_err(|error| Error::answer(&error.to_string()))?;
    wire::outcomes(answer, ids.into_iter())
}
