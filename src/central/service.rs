//! The IM service within central: its door, on the store that everything else of central is in.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::errands::LedgerCarrier;
use super::ledger::Ledger;
use crate::clock::Clock;
use crate::im::config::Config;
use crate::im::door::config::DoorError;
use crate::im::door::{Counts, Door, ServiceHandle};
use crate::store::im::{Carrier, ImStore};
use crate::store::{Store, StoreError};

/// How long it has to store what was said.
pub(super) const LAST_TURN: Duration = Duration::from_millis(500);

/// Why there is no IM service.
pub(super) enum ServiceError {
    /// What it keeps cannot be read.
    Store(StoreError),
    /// Its door stays shut.
    Door(DoorError),
}

/// The IM service.
pub(super) struct Service {
    door: Mutex<Option<Door>>,
    handle: ServiceHandle,
    counts: Arc<Counts>,
    has_phones: bool,
}

impl Service {
    /// Opens its door, on the store that everything else of central is in.
    pub(super) async fn open(
        config: Config,
        store: &Store,
        ledger: &Arc<Ledger>,
    ) -> Result<Self, ServiceError> {
        let carrier = config.phones.is_some().then(|| {
            let carrier: Arc<dyn Carrier> = Arc::new(LedgerCarrier(ledger.clone()));
            carrier
        });
        let records = ImStore::new(store.clone(), carrier).map_err(ServiceError::Store)?;
        let secret = records.secret().map_err(ServiceError::Store)?;
        let door = Door::open(
            &config.door,
            config.clone(),
            records,
            secret,
            Clock::system(),
        )
        .await
        .map_err(ServiceError::Door)?;
        tracing::info!(
            address = %door.address(), tls = config.door.certificate.is_some(), phones = config.phones.is_some(),
            "the IM service is open"
        );
        Ok(Self {
            handle: door.handle(),
            counts: door.counts(),
            door: Mutex::new(Some(door)),
            has_phones: config.phones.is_some(),
        })
    }

    /// The way to it.
    pub(super) const fn handle(&self) -> &ServiceHandle {
        &self.handle
    }

    /// Whether it deals with phones.
    pub(super) const fn has_phones(&self) -> bool {
        self.has_phones
    }

    /// Lets nobody in any more and stores what was said. Its clients are told to come back later, meanwhile.
    pub(super) async fn close(&self) {
        let door = self
            .door
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(door) = door
            && tokio::time::timeout(LAST_TURN, door.close()).await.is_err()
        {
            tracing::error!(
                "the IM service takes too long to end; what was not acknowledged to its clients may be missing"
            );
        }
    }

    /// Returns when all connections are closed.
    pub(super) async fn emptied(&self) {
        while self.counts.connections.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
