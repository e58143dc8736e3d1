//! Signing up: users and clients that register themselves, where the operator lets them.

use super::draft::{Answer, Draft, Refusal};
use super::{Service, reach};
use crate::im::auth::{decode_key, is_bearable};
use crate::im::change::Change;
use crate::im::effects::Origin;
use crate::im::primitive::{NewClient, NewUser, Settings, SignUp, Status};
use crate::im::record::{ClientRecord, Credentials, Key, UserRecord};
use crate::im::status::Code;

/// How often one network may sign up in an hour.
pub(super) const PER_HOUR: u32 = 30;

impl Service {
    pub(super) fn sign_up(
        &mut self,
        draft: &mut Draft<'_>,
        origin: Origin,
        sign_up: SignUp,
    ) -> Answer {
        if !self.config.sign_up {
            return Err(Code::SignUpClosed.into());
        }
        if sign_up.user.is_none() && sign_up.client.is_none() {
            return Err(Status::of(Code::MissingElement).at("user").into());
        }
        // Also who asks for names that are taken uses up its share: names cannot be tried out in bulk.
        self.sign_ups
            .take(&origin, draft.now.moment)
            .map_err(|wait| Status::of(Code::TooFast).retry_after(wait))?;
        if let Some(user) = sign_up.user {
            new_user(draft, user)?;
        }
        if let Some(client) = sign_up.client {
            new_client(draft, client)?;
        }
        Ok(Status::done().into())
    }
}

fn key(element: &str, written: &str) -> Result<Key, Refusal> {
    decode_key(written)
        .ok_or_else(|| Status::bad_element(element, "is not 32 octets in base64").into())
}

fn new_user(draft: &mut Draft<'_>, new: NewUser) -> Result<(), Refusal> {
    let NewUser {
        name,
        password,
        stored_key,
        server_key,
    } = new;
    if reach::is_phone(&name) {
        return Err(Status::bad_element("user", "names of digits belong to phones").into());
    }
    is_bearable(&password).map_err(|why| Status::bad_element("user", &why.to_string()))?;
    if draft.shelf.user(&name)?.is_some() {
        return Err(Status::of(Code::NameTaken).at("user").into());
    }
    let credentials = Credentials {
        password,
        stored_key: key("user", &stored_key)?,
        server_key: key("user", &server_key)?,
        historical: std::collections::BTreeMap::new(),
    };
    let record = UserRecord {
        made_at: draft.now.wall,
        settings: Settings::default(),
        is_shut: false,
        has_phones: false,
    };
    draft
        .changes
        .push(Change::Credentials(name.clone(), Some(credentials)));
    draft.changes.push(Change::User(name, Some(record)));
    Ok(())
}

fn new_client(draft: &mut Draft<'_>, new: NewClient) -> Result<(), Refusal> {
    if draft.shelf.client(&new.name)?.is_some() {
        return Err(Status::of(Code::NameTaken).at("client").into());
    }
    let record = ClientRecord {
        made_at: draft.now.wall,
        key: key("client", &new.key)?,
    };
    draft.changes.push(Change::Client(new.name, Some(record)));
    Ok(())
}
