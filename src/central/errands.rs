//! The IM service within central: what carries its texts to phones, and the task that gives it what comes for it.

use std::sync::Arc;
use std::time::Duration;

use super::ledger::{Errand, Ledger, LedgerError, State};
use crate::im::door::keep::Durable;
use crate::im::door::{Brought, ServiceHandle};
use crate::im::names::TextId;
use crate::im::phone::{OnceKey, TextFate, TextFromPhone, TextToPhone};
use crate::im::primitive::Fate;
use crate::private::Private;
use crate::store::Batch;
use crate::store::im::Carrier;

/// How many errands are given at once: they share a sync. As many as the service takes in two turns.
const AT_ONCE: usize = 256;

/// How long the service is left alone after it took nothing: it is building itself anew.
const REST: Duration = Duration::from_secs(1);

/// Longest reason of a fate, in characters, as clients are promised.
const LONGEST_REASON: usize = 64;

/// The ledger as the IM service's carrier.
pub(super) struct LedgerCarrier(pub(super) Arc<Ledger>);

impl Carrier for LedgerCarrier {
    fn hand_in(&self, texts: Vec<TextToPhone>, with: Batch) -> Result<Durable, String> {
        self.0.carry(texts, with).map_err(|why| why.to_string())
    }

    fn has_room(&self) -> bool {
        self.0.has_room()
    }
}

/// Gives the service what comes for it, in order. Runs until it is dropped, or the ledger takes nothing more.
pub(super) async fn run(ledger: Arc<Ledger>, service: ServiceHandle) -> LedgerError {
    let mut news = ledger.watch_errands();
    loop {
        news.borrow_and_update();
        match give(&ledger, &service).await {
            Ok(true) => {}
            Ok(false) => {
                // The ledger holds the sender itself.
                let _news = news.changed().await;
            }
            Err(why) => return why,
        }
    }
}

/// Gives a page of it; tells whether there was any.
async fn give(ledger: &Ledger, service: &ServiceHandle) -> Result<bool, LedgerError> {
    let errands = ledger.errands(ledger.served_up_to(), AT_ONCE)?;
    if errands.is_empty() {
        return Ok(false);
    }
    let numbers: Vec<u64> = errands.iter().map(|(number, _)| *number).collect();
    let brought = errands
        .into_iter()
        .map(|(number, errand)| brought(number, errand))
        .collect();
    match service.bring(brought).await {
        Ok(()) => ledger.served_these(&numbers).await?,
        Err(why) => {
            tracing::warn!(%why, "what came from phones for the IM service waits");
            tokio::time::sleep(REST).await;
        }
    }
    Ok(true)
}

fn brought(number: u64, errand: Errand) -> Brought {
    match errand {
        Errand::Text { from, to, text, .. } => Brought::Text(TextFromPhone {
            sender: from,
            recipient: to,
            text: Private::new(text),
            // The number is given once, durably, and is never another one's.
            key: OnceKey::new(&format!("errand {number}")).expect("a short key"),
        }),
        Errand::Fate {
            id,
            state,
            why,
            phone,
        } => Brought::Fate(TextFate {
            id: TextId::from_octets(id.to_be_bytes()),
            fate: fate(state),
            reason: reason(state, &why),
            phone,
        }),
        Errand::Phone { number, news } => Brought::Phone(number, news),
    }
}

/// What a user of the service is told of a text that has come so far.
const fn fate(state: State) -> Fate {
    match state {
        State::Delivered => Fate::Delivered,
        // The phone's word on it never came.
        State::Waiting | State::UnderWay | State::Sent => Fate::Accepted,
        State::Expired => Fate::Expired,
        State::Doubtful => Fate::Doubtful,
        State::Refused | State::Undeliverable | State::Deleted | State::Rejected | State::Lost => {
            Fate::Failed
        }
    }
}

fn reason(state: State, why: &str) -> Option<String> {
    let told = match (why, fate(state)) {
        ("", Fate::Failed) => state.as_str(),
        ("", _) => return None,
        (why, _) => why,
    };
    Some(told.chars().take(LONGEST_REASON).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_has_a_reason_and_none_is_too_long() {
        assert_eq!(reason(State::Delivered, ""), None);
        assert_eq!(reason(State::Sent, ""), None);
        assert_eq!(
            reason(State::Undeliverable, ""),
            Some("undeliverable".into())
        );
        let long = "\u{e4}".repeat(100);
        let told = reason(State::Refused, &long).unwrap();
        assert_eq!(told.chars().count(), LONGEST_REASON);
    }
}
