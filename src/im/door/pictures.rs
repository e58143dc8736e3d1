//! What a connection is told of presence, beside its outbox: it gives way to everything else, and the newest picture of an
//! owner takes the place of one that waits.
//!
//! Answers to `GetPresence` stand in the same queue: so none that was made later is overtaken by one from before. A message
//! waits for one picture that is being written, and for no more of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::im::names::SessionId;
use crate::im::primitive::{Outgoing, Tag, ToClient, Word};
use crate::message::UserName;

/// Octets of pictures that wait for one connection, beyond one: all that a user with a thousand subscriptions may watch.
const MOST_OCTETS: usize = 1 << 20;

/// What a subscription's picture takes the place of: the one of the same owner, for the same session.
type Whose = (Option<SessionId>, UserName);

#[derive(Default)]
struct Queue {
    lines: VecDeque<(Option<Whose>, String)>,
    octets: usize,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    came: Notify,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while it is held.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Pictures for a connection.
pub(super) struct Pictures(Arc<Shared>);

/// Out of them.
pub(super) struct Shown(Arc<Shared>);

/// The client does not read.
pub(super) struct Full;

/// None yet.
pub(super) fn pictures() -> (Pictures, Shown) {
    let shared = Arc::new(Shared::default());
    (Pictures(Arc::clone(&shared)), Shown(shared))
}

/// The picture that a primitive is.
fn picture(outgoing: &Outgoing) -> Option<&UserName> {
    let word = match &outgoing.word {
        Word::Own(word) => word,
        Word::Shared(word) => &**word,
        Word::Logged(_) => return None,
    };
    match word {
        ToClient::Presence(presence) => Some(&presence.user),
        _ => None,
    }
}

impl Pictures {
    /// Takes a picture, and nothing else; gives back what is none.
    pub(super) fn put(&self, outgoing: Box<Outgoing>) -> Result<Option<Box<Outgoing>>, Full> {
        let Some(owner) = picture(&outgoing) else {
            return Ok(Some(outgoing));
        };
        // An answer is waited for; only what comes unasked is superseded.
        let whose =
            matches!(outgoing.tag, Tag::Volatile(_)).then(|| (outgoing.session, owner.clone()));
        let line = outgoing.to_json();
        let mut queue = self.0.queue();
        if whose.is_some()
            && let Some(place) = queue.lines.iter().position(|(other, _)| *other == whose)
            && let Some((_, before)) = queue.lines.remove(place)
        {
            queue.octets -= before.len();
        }
        if queue.octets > MOST_OCTETS {
            return Err(Full);
        }
        queue.octets += line.len();
        queue.lines.push_back((whose, line));
        drop(queue);
        self.0.came.notify_one();
        Ok(None)
    }
}

impl Shown {
    /// Waits for the next one, as it is written on the line. Nothing is lost if it is not waited for any more.
    pub(super) async fn next(&self) -> String {
        loop {
            let taken = {
                let mut queue = self.0.queue();
                let taken = queue.lines.pop_front();
                queue.octets -= taken.as_ref().map_or(0, |(_, line)| line.len());
                taken
            };
            if let Some((_, line)) = taken {
                return line;
            }
            self.0.came.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::im::names::TransactionId;
    use crate::im::primitive::{Presence, Status};
    use crate::presence::{AttributeName, PresValue};

    fn told(tag: Tag, owner: &str, mood: &str) -> Box<Outgoing> {
        let name = AttributeName::new("sluice:mood").unwrap();
        let presence = Presence {
            user: UserName::new(owner).unwrap(),
            values: vec![PresValue::set(name, mood)],
        };
        Box::new(Outgoing {
            tag,
            session: None,
            position: None,
            word: Word::Own(presence.into()),
        })
    }

    fn put(pictures: &Pictures, outgoing: Box<Outgoing>) {
        assert!(matches!(pictures.put(outgoing), Ok(None)));
    }

    async fn moods(shown: &Shown, count: usize) -> Vec<String> {
        let mut moods = Vec::new();
        for _ in 0..count {
            let line = shown.next().await;
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            let mood = &value["elements"]["values"][0]["value"];
            moods.push(mood.as_str().unwrap().to_owned());
        }
        moods
    }

    #[tokio::test]
    async fn the_newest_picture_of_an_owner_takes_the_place_of_one_that_waits() {
        let (pictures, shown) = pictures();
        put(&pictures, told(Tag::Volatile(1), "anna", "old"));
        put(&pictures, told(Tag::Volatile(2), "bob", "calm"));
        put(
            &pictures,
            told(
                Tag::Answer(TransactionId::new("t1").unwrap()),
                "anna",
                "asked",
            ),
        );
        put(&pictures, told(Tag::Volatile(3), "anna", "new"));
        assert_eq!(moods(&shown, 3).await, ["calm", "asked", "new"]);
        assert_eq!(shown.0.queue().octets, 0);
        // What is no picture is not taken.
        let status = Box::new(Outgoing {
            tag: Tag::Unknown,
            session: None,
            position: None,
            word: Word::Own(Status::done().into()),
        });
        assert!(matches!(pictures.put(status), Ok(Some(_))));
    }

    #[test]
    fn whoever_watches_much_and_reads_nothing_is_let_go() {
        let (pictures, _shown) = pictures();
        let mut owners = 0_usize;
        let long = "x".repeat(1000);
        while pictures
            .put(told(Tag::Volatile(1), &format!("owner{owners}"), &long))
            .is_ok()
        {
            owners += 1;
        }
        assert!((900..1200).contains(&owners), "{owners}");
        // One owner alone never fills it.
        let (pictures, _shown) = super::pictures();
        for _ in 0..10_000 {
            put(&pictures, told(Tag::Volatile(1), "anna", &long));
        }
    }
}
