//! What tells others something is counted by how many it tells: a client's request is cheap, and what it sets going may not
//! be.

use super::draft::{Draft, Refusal};
use super::{Caller, Service};
use crate::im::limits::TOLD_FOR_ONE;
use crate::im::primitive::{FromClient, Status, StoreContent};
use crate::im::status::Code;

impl Service {
    /// Refuses what tells others something if its user does so too often. (A message is counted by itself, wherever it
    /// comes from.)
    pub(super) fn may_tell(
        &mut self,
        draft: &Draft<'_>,
        caller: &Caller,
        primitive: &FromClient,
    ) -> Result<(), Refusal> {
        let tells = matches!(
            primitive,
            FromClient::Read(_)
                | FromClient::ModifyGroup(_)
                | FromClient::DeleteGroup(_)
                | FromClient::JoinGroup(_)
                | FromClient::ModifyJoin(_)
                | FromClient::LeaveGroup(_)
                | FromClient::InviteGroup(_)
                | FromClient::RefuseInvite(_)
                | FromClient::StoreContent(StoreContent::Begin(_))
                | FromClient::DeleteContent(_)
        );
        match tells {
            true => self
                .messages
                .take(&caller.user, draft.now.moment)
                .map_err(|wait| Status::of(Code::TooFast).retry_after(wait).into()),
            false => Ok(()),
        }
    }

    /// Counts how many are told, and refuses what the user's own log has no room for.
    pub(super) fn has_told(
        &mut self,
        draft: &mut Draft<'_>,
        caller: &Caller,
    ) -> Result<(), Refusal> {
        let told = draft.appended.len() + draft.volatile.len();
        let price = u32::try_from(told / TOLD_FOR_ONE).unwrap_or(u32::MAX);
        self.messages.charge(&caller.user, price, draft.now.moment);
        if !draft.appended.iter().any(|own| own.user == caller.user) {
            return Ok(());
        }
        match draft.makes_room(&caller.user)? {
            true => Ok(()),
            false => Err(Refusal::limit(
                Code::QuotaFull,
                "max_waiting",
                draft.config.max_waiting,
            )),
        }
    }
}
