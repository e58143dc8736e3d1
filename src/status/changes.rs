//! What a subscriber gets: whatever is another than before, and nothing else.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::snapshot::{
    BacklogView, DoubtView, Health, ImView, LaneView, LinkView, RingView, Snapshot, StorageView,
    Trouble, VERSION,
};

/// What changed since the document before. A view stands here whole if anything in it changed; what is left out is as it
/// was.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Changes {
    /// The version of this form.
    pub version: u32,
    /// When this was seen.
    pub at_unix_ms: u64,
    /// All in all, as it is now.
    pub health: Health,
    /// All troubles, if there are others than before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub troubles: Option<Vec<Trouble>>,
    /// Links that changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<LinkView>,
    /// Lanes that changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<LaneView>,
    /// Rings that changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rings: Vec<RingView>,
    /// All messages in doubt, if there are others than before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_doubt: Option<Vec<DoubtView>>,
    /// Files that changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub storage: Vec<StorageView>,
    /// The backlog, if it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backlog: Option<BacklogView>,
    /// The IM service, if anything of it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub im: Option<ImView>,
}

impl Changes {
    /// What changed; nothing if nothing did.
    pub fn between(before: &Snapshot, after: &Snapshot) -> Option<Self> {
        let changes = Self {
            version: VERSION,
            at_unix_ms: after.at_unix_ms,
            health: after.health,
            troubles: other(&before.troubles, &after.troubles),
            links: others(&before.links, &after.links),
            lanes: others(&before.lanes, &after.lanes),
            rings: others(&before.rings, &after.rings),
            in_doubt: other(&before.in_doubt, &after.in_doubt),
            storage: others(&before.storage, &after.storage),
            backlog: other(&before.backlog, &after.backlog).flatten(),
            im: other(&before.im, &after.im).flatten(),
        };
        let nothing = Self {
            troubles: None,
            links: Vec::new(),
            lanes: Vec::new(),
            rings: Vec::new(),
            in_doubt: None,
            storage: Vec::new(),
            backlog: None,
            im: None,
            ..changes.clone()
        };
        (changes != nothing).then_some(changes)
    }
}

fn other<T: PartialEq + Clone>(before: &T, after: &T) -> Option<T> {
    (before != after).then(|| after.clone())
}

fn others<T: PartialEq + Clone>(before: &[T], after: &[T]) -> Vec<T> {
    after
        .iter()
        .filter(|view| !before.contains(view))
        .cloned()
        .collect()
}
