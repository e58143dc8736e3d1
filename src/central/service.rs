//! The IM service within central: its door, on the store that everything else of central is in.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::errands::LedgerCarrier;
use super::ledger::{Ledger, Standing};
use crate::clock::Clock;
use crate::im::chance::Chance;
use crate::im::config::Config;
use crate::im::door::config::DoorError;
use crate::im::door::{Counts, Door, ServiceHandle};
use crate::im::names::ClientName;
use crate::im::register::Registration;
use crate::im::shelf::Shelf;
use crate::message::UserName;
use crate::status::Register;
use crate::status::snapshot::{ImView, NameView};
use crate::store::im::{Carrier, ImStore};
use crate::store::{Store, StoreError};

/// How long it has to store what was said.
pub(super) const LAST_TURN: Duration = Duration::from_millis(500);

/// Names of users or clients behind one, in order, a page of them.
pub fn names(
    records: &ImStore,
    register: Register,
    after: Option<&str>,
) -> Result<Vec<NameView>, String> {
    fn told(why: impl std::fmt::Display) -> String {
        why.to_string()
    }
    Ok(match register {
        Register::Users => {
            let after = after.map(UserName::new).transpose().map_err(told)?;
            let page = records.users(after.as_ref(), PAGE).map_err(told)?;
            let seen = page.into_iter().map(|user| {
                let record = records.user(&user).map_err(told)?;
                Ok(NameView {
                    name: user.as_str().to_owned(),
                    shut: record.is_some_and(|record| record.is_shut),
                })
            });
            seen.collect::<Result<_, String>>()?
        }
        Register::Clients => {
            let after = after.map(ClientName::new).transpose().map_err(told)?;
            let page = records.clients(after.as_ref(), PAGE).map_err(told)?;
            page.into_iter()
                .map(|client| NameView {
                    name: client.as_str().to_owned(),
                    shut: false,
                })
                .collect()
        }
    })
}

/// Names that are listed at once.
const PAGE: usize = 1000;

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
    records: ImStore,
    config: Config,
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
            records.clone(),
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
            records,
            config,
        })
    }

    /// The way to it.
    pub(super) const fn handle(&self) -> &ServiceHandle {
        &self.handle
    }

    /// Whether it deals with phones.
    pub(super) const fn has_phones(&self) -> bool {
        self.config.phones.is_some()
    }

    /// Registers somebody, or changes how one is registered. Durable when this returns, and what it ends has ended. Gives
    /// the sentence for the operator.
    pub(super) async fn register(&self, asked: Registration) -> Result<String, String> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|why| why.to_string())?;
        let config = self.config.clone();
        // A slow hash is slow; the event loop has other things to do.
        let prepared =
            tokio::task::spawn_blocking(move || asked.prepare(&config, &mut Chance::new(seed)));
        let prepared = prepared.await.map_err(|why| why.to_string())?;
        let prepared = prepared.map_err(|why| why.to_string())?;
        let now = Clock::system().wall();
        let (tell, told) = oneshot::channel();
        let changed = self
            .handle
            .change(move |shelf| match prepared.changes(shelf, now) {
                Ok((changes, sentence)) => {
                    // Whoever asked waits for it.
                    let _heard = tell.send(Ok(sentence));
                    Ok(changes)
                }
                Err(why) => {
                    let _heard = tell.send(Err(why.to_string()));
                    Err(why.to_string())
                }
            })
            .await;
        match (told.await, changed) {
            (Ok(Err(refused)), _) => Err(refused),
            (Ok(Ok(sentence)), Ok(())) => Ok(sentence),
            (_, Err(not_taken)) => Err(not_taken.to_string()),
            (Err(_dropped), Ok(())) => Err(String::from("the IM service is closing")),
        }
    }

    /// Names behind one, in order, a page of them.
    pub(super) fn names(
        &self,
        register: Register,
        after: Option<&str>,
    ) -> Result<Vec<NameView>, String> {
        names(&self.records, register, after)
    }

    /// How it stands.
    pub(super) fn view(&self, standing: &Standing) -> ImView {
        let counts = &self.counts;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let gauge = |gauge: &AtomicUsize| gauge.load(Ordering::Relaxed) as u64;
        ImView {
            listen: self.config.door.listen.to_string(),
            connections: gauge(&counts.connections),
            points: gauge(&counts.points),
            users: gauge(&counts.users),
            texts_waiting: standing.of_service,
            errands_waiting: standing.errands,
            refused_sign_ins: count(&counts.refused_sign_ins),
            accepted: count(&counts.accepted),
            turned_away: count(&counts.turned_away),
            slow: count(&counts.slow),
            heard: count(&counts.heard),
            said: count(&counts.said),
            rebuilt: count(&counts.rebuilt),
        }
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
