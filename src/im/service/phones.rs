//! A user's own phones: registering one by a code, and taking it off again (G16).

use super::draft::{Answer, Draft, Refusal};
use super::{Caller, Service};
use crate::im::auth::{is_same, mac};
use crate::im::change::Change;
use crate::im::primitive::{
    AddPhone, Forward, ModifyPhone, OwnPhone, Phones, ProvePhone, RemovePhone, Status,
};
use crate::im::record::{Key, PhoneRecord, ProofRecord};
use crate::im::sms::{Place, Say, Telling};
use crate::im::status::Code;
use crate::message::{PhoneNumber, UserName};

/// Digits of a code: with five tries, one guess in 200,000 hits.
const CODE_DIGITS: u32 = 6;
/// Wrong tries for one code.
const MOST_WRONG: u32 = 5;
/// Codes that are looked through when another one is sent.
const MOST_LAPSED: usize = 64;
/// Most phones of a user.
const MOST_PHONES: usize = 8;

impl Service {
    fn code_digest(&self, user: &UserName, phone: &PhoneNumber, code: &str) -> Key {
        let parts: [&[u8]; 6] = [
            b"code",
            user.as_str().as_bytes(),
            b"\0",
            phone.digits().as_bytes(),
            b"\0",
            code.as_bytes(),
        ];
        Key(mac(&self.secret, &parts))
    }

    pub(super) fn add_phone(
        &mut self,
        draft: &mut Draft<'_>,
        caller: &Caller,
        add: AddPhone,
    ) -> Answer {
        let Some(config) = &self.config.phones else {
            return Err(Code::PhonesOff.into());
        };
        if super::reach::is_phone(&caller.user) {
            return Err(Code::NotPermitted.into());
        }
        if draft.shelf.phones_of(&caller.user)?.len() >= MOST_PHONES {
            return Err(Refusal::limit(
                Code::QuotaFull,
                "max_phones",
                MOST_PHONES as u64,
            ));
        }
        let too_fast = |wait| Status::of(Code::TooFast).retry_after(wait);
        self.codes_of_user
            .take(&caller.user, draft.now.moment)
            .map_err(too_fast)?;
        self.codes_to_phone
            .take(&add.phone, draft.now.moment)
            .map_err(too_fast)?;
        // Codes that have lapsed go: at most as many as the user may have sent since.
        for (phone, proof) in draft.shelf.proofs_of(&caller.user, MOST_LAPSED)? {
            if draft.now.wall > proof.valid_until {
                let gone = Change::Proof(caller.user.clone(), phone, None);
                draft.changes.push(gone);
            }
        }
        let valid_until = draft.now.wall + config.code_good_for;
        let code = self.chance.digits(CODE_DIGITS);
        let record = ProofRecord {
            code: self.code_digest(&caller.user, &add.phone, &code),
            valid_until,
            wrong: 0,
        };
        draft.changes.push(Change::Proof(
            caller.user.clone(),
            add.phone.clone(),
            Some(record),
        ));
        let telling = Telling::new(Say::Code)
            .with(Place::Code, code)
            .with(Place::Name, caller.user.as_str());
        self.tell(draft, &add.phone, &telling)?;
        Ok(Status::done().into())
    }

    pub(super) fn prove_phone(
        &self,
        draft: &mut Draft<'_>,
        caller: &Caller,
        prove: ProvePhone,
    ) -> Answer {
        let (user, phone) = (&caller.user, &prove.phone);
        let proof = draft.shelf.proof(user, phone)?;
        let gone = Change::Proof(user.clone(), phone.clone(), None);
        let Some(mut proof) = proof else {
            return Err(Code::CodeLapsed.into());
        };
        if draft.now.wall > proof.valid_until {
            draft.changes.push(gone);
            return Ok(Status::of(Code::CodeLapsed).into());
        }
        if !is_same(&self.code_digest(user, phone, &prove.code), &proof.code) {
            // A wrong try is kept, so this refusal is an answer like any other.
            proof.wrong += 1;
            let is_over = proof.wrong >= MOST_WRONG;
            let kept = (!is_over).then_some(proof);
            draft
                .changes
                .push(Change::Proof(user.clone(), phone.clone(), kept));
            return Ok(Status::of(Code::WrongCode).into());
        }
        draft.changes.push(gone);
        self.take_over(draft, user, phone)?;
        Ok(Status::done().into())
    }

    /// A phone is the user's from now on, whoever had it before.
    fn take_over(
        &self,
        draft: &mut Draft<'_>,
        user: &UserName,
        phone: &PhoneNumber,
    ) -> Result<(), Refusal> {
        let mut record = PhoneRecord::of(user.clone(), Forward::default());
        if let Some(before) = draft.shelf.phone(phone)? {
            if before.user != *user {
                lose(draft, &before.user, phone)?;
            }
            // What its owner has said of texts to it holds, whoever the owner signs in as.
            record.stopped = before.stopped;
            record.language = before.language;
        }
        draft
            .changes
            .push(Change::Phone(phone.clone(), Some(record)));
        if let Some(mut record) = draft.shelf.user(user)?
            && !record.has_phones
        {
            record.has_phones = true;
            draft.changes.push(Change::User(user.clone(), Some(record)));
        }
        Ok(())
    }
}

/// A user has a phone no longer.
fn lose(draft: &mut Draft<'_>, user: &UserName, phone: &PhoneNumber) -> Result<(), Refusal> {
    let others = draft.shelf.phones_of(user)?;
    let is_last = others.iter().all(|(number, _)| number == phone);
    if is_last
        && let Some(mut record) = draft.shelf.user(user)?
        && record.has_phones
    {
        record.has_phones = false;
        draft.changes.push(Change::User(user.clone(), Some(record)));
    }
    for (number, _) in draft.shelf.replies(phone)? {
        draft
            .changes
            .push(Change::Reply(phone.clone(), number, None));
    }
    Ok(())
}

fn own_phone(
    draft: &Draft<'_>,
    caller: &Caller,
    phone: &PhoneNumber,
) -> Result<PhoneRecord, Refusal> {
    let record = draft.shelf.phone(phone)?;
    record
        .filter(|record| record.user == caller.user)
        .ok_or_else(|| Status::of(Code::UnknownPhone).at("phone").into())
}

pub(super) fn modify(draft: &mut Draft<'_>, caller: &Caller, modify: ModifyPhone) -> Answer {
    let mut record = own_phone(draft, caller, &modify.phone)?;
    record.forward = modify.forward;
    draft
        .changes
        .push(Change::Phone(modify.phone, Some(record)));
    Ok(Status::done().into())
}

pub(super) fn remove(draft: &mut Draft<'_>, caller: &Caller, remove: RemovePhone) -> Answer {
    own_phone(draft, caller, &remove.phone)?;
    lose(draft, &caller.user, &remove.phone)?;
    draft.changes.push(Change::Phone(remove.phone, None));
    Ok(Status::done().into())
}

pub(super) fn get(draft: &Draft<'_>, caller: &Caller) -> Answer {
    let phones = draft
        .shelf
        .phones_of(&caller.user)?
        .into_iter()
        .map(|(phone, record)| OwnPhone {
            phone,
            forward: record.forward,
            signed_in: record.signed_in,
        })
        .collect();
    Ok(Phones { phones }.into())
}
