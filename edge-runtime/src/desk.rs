//! The alarm desk: the one place that pipelines raise alarms at and the link takes them from.
//!
//! An alarm goes to the durable store. If that refuses (disk full, I/O error, read-only), it goes to a small store in
//! memory, so that it still reaches the hub directly, and the board reports itself degraded.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use alarm_proto::{BoardId, BootId, Message, RecordId};

use crate::health::{Health, lock};
use crate::outbox::{OutboxError, OutboxStatus, RecordStore, StoredRecord, VolatileStore};

/// Alarms kept in memory while the disk refuses.
const VOLATILE_RECORDS: usize = 256;
const STORE_FAILED: &str = "the outbox cannot store alarms durably";

/// Which store a record lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shelf {
    /// Survives a power cut.
    Durable,
    /// Lost when the program ends.
    Volatile,
}

/// A raised alarm's identity and whether it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// Its identity.
    pub id: RecordId,
    /// Where it is kept until the hub has it.
    pub shelf: Shelf,
}

/// Hears of every raised message.
pub type Wake = Box<dyn Fn(&Message) + Send>;

/// See the module's documentation.
pub struct AlarmDesk {
    stores: Mutex<Stores>,
    boot: BootId,
    health: Arc<Health>,
    wake: Mutex<Option<Wake>>,
    /// As of the latest change: who asks waits for no disk.
    depth: AtomicU64,
}

struct Stores {
    durable: Box<dyn RecordStore>,
    volatile: VolatileStore,
}

impl Stores {
    fn depth(&self) -> u64 {
        self.durable.status().depth + self.volatile.status().depth
    }

    fn on(&mut self, shelf: Shelf) -> &mut dyn RecordStore {
        match shelf {
            Shelf::Durable => self.durable.as_mut(),
            Shelf::Volatile => &mut self.volatile,
        }
    }
}

impl AlarmDesk {
    /// A desk over `durable`.
    ///
    /// # Errors
    /// [`OutboxError::Random`].
    pub fn new(
        board: BoardId,
        durable: Box<dyn RecordStore>,
        health: Arc<Health>,
    ) -> Result<Self, OutboxError> {
        let volatile = VolatileStore::new(board, durable.boot().counter, VOLATILE_RECORDS)?;
        let boot = durable.boot();
        let stores = Stores { durable, volatile };
        let depth = AtomicU64::new(stores.depth());
        Ok(Self { stores: Mutex::new(stores), boot, health, wake: Mutex::new(None), depth })
    }

    /// Calls `wake` after every raised alarm, in the order of each camera. It must not block.
    pub fn on_raised(&self, wake: Wake) {
        *lock(&self.wake) = Some(wake);
    }

    /// Stores an alarm and wakes the link; returns when it is durable.
    ///
    /// # Errors
    /// [`OutboxError`] when neither disk nor memory took it: the message does not encode.
    pub fn raise(&self, mut compose: impl FnMut(RecordId) -> Message) -> Result<Raised, OutboxError> {
        let mut message = None;
        let raised = self.store(&mut |id| message.insert(compose(id)).clone())?;
        if let (Some(wake), Some(message)) = (lock(&self.wake).as_ref(), &message) {
            wake(message);
        }
        Ok(raised)
    }

    fn store(&self, compose: &mut dyn FnMut(RecordId) -> Message) -> Result<Raised, OutboxError> {
        let mut stores = lock(&self.stores);
        let raised = match stores.durable.raise(compose) {
            Ok(id) => {
                self.health.restore(STORE_FAILED);
                Ok(Raised { id, shelf: Shelf::Durable })
            }
            Err(e) => {
                tracing::error!(error = %e, "alarm kept in memory only");
                self.health.degrade(STORE_FAILED);
                stores.volatile.raise(compose).map(|id| Raised { id, shelf: Shelf::Volatile })
            }
        };
        self.depth.store(stores.depth(), Ordering::SeqCst);
        raised
    }

    /// Removes what the hub has committed; returns how many records were held.
    ///
    /// # Errors
    /// [`OutboxError`]: nothing durable was removed, the hub's next Ack will do.
    pub fn acknowledge(&self, acks: &[(BootId, u64)]) -> Result<usize, OutboxError> {
        let mut stores = lock(&self.stores);
        let volatile = stores.volatile.acknowledge(acks)?;
        let durable = stores.durable.acknowledge(acks);
        self.depth.store(stores.depth(), Ordering::SeqCst);
        Ok(volatile + durable?)
    }

    /// Up to `limit` records of a shelf with `after < seq <= up_to`, oldest first.
    ///
    /// # Errors
    /// [`OutboxError`]: the store cannot be read.
    pub fn between(
        &self,
        shelf: Shelf,
        after: u64,
        up_to: u64,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, OutboxError> {
        lock(&self.stores).on(shelf).between(after, up_to, limit)
    }

    /// What a shelf holds.
    #[must_use]
    pub fn status(&self, shelf: Shelf) -> OutboxStatus {
        lock(&self.stores).on(shelf).status()
    }

    /// Undelivered records of both shelves.
    #[must_use]
    pub fn depth(&self) -> u64 {
        self.depth.load(Ordering::SeqCst)
    }

    /// The running boot of the durable store.
    #[must_use]
    pub fn boot(&self) -> BootId {
        self.boot
    }
}
