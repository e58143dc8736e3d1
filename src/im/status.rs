//! `Status`: how everything ends that is not answered by a result of its own (P15).
//!
//! The codes stand in one table; `docs/protocol-im.md` and the JSON Schema are made from it. A code belongs to one
//! family, so that a client can act on families it does not know in detail: below 300 it is done, 400–419 the request
//! could not be read, 420–439 it is about signing in, 440–499 it was understood and refused, 500 and more the service
//! could not do it now.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! codes {
    ($($number:literal $code:ident $sentence:literal;)*) => {
        /// How a request ended.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Code {
            $(#[doc = $sentence] $code,)*
        }

        impl Code {
            /// All codes, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$code),*];

            /// The number.
            pub const fn number(self) -> u16 {
                match self { $(Self::$code => $number,)* }
            }

            /// The code of a number.
            pub const fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$code),)* _ => None }
            }

            /// The name, for programs and logs.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$code => stringify!($code),)* }
            }

            /// What it means, for people.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$code => $sentence,)* }
            }
        }
    };
}

codes! {
    200 Done "Done.";
    201 PartlyDone "Done for some; those for whom it was not are named.";
    400 NotJson "This is not JSON.";
    401 NotAPrimitive "A primitive is an object with a name, a transaction id and elements.";
    402 UnknownPrimitive "There is no primitive of this name.";
    403 UnknownElement "The primitive has no such element.";
    404 BadElement "An element has a value that does not fit.";
    405 MissingElement "An element is missing.";
    406 TooLarge "The primitive is longer than is read.";
    407 TooDeep "The primitive nests deeper than is read.";
    408 BadTransaction "The transaction id is missing, or is none.";
    409 TransactionReused "Another request has been sent under this transaction id.";
    410 NotARequest "Only the server sends this primitive.";
    420 SignInFirst "Nobody is signed in on this connection.";
    421 UnknownSession "There is no such session here, or it has ended.";
    422 Challenge "Answer this challenge to sign in.";
    423 NoCommonScheme "None of the digest schemes is known here.";
    424 SignInRefused "The user, the client or the proof is wrong.";
    425 StaleNonce "The nonce was used, has lapsed, or is not from here; begin again.";
    426 WaitToSignIn "Too many wrong tries; wait before the next one.";
    427 TooManySessions "There are as many sessions as are allowed; sign one out.";
    428 SignUpClosed "Users are registered by the operator.";
    429 NameTaken "The name is taken.";
    440 NotPermitted "You may not do this.";
    441 UnknownRecipient "There is nobody of this name whom you can reach.";
    442 InboxFull "The recipient has more waiting than is kept.";
    443 TextTooLong "The text is longer than is carried.";
    444 EmptyText "There is nothing to say.";
    445 TooFast "This was done more often than is allowed; wait before the next one.";
    446 QuotaFull "There is as much of it as is allowed.";
    447 UnknownPosition "The log has no such position.";
    450 UnknownGroup "There is no such group that you can see.";
    451 GroupExists "There is a group of this name.";
    452 NotAMember "You are not a member of this group.";
    453 AlreadyMember "You are a member of this group.";
    454 UnknownMember "The group has no such member.";
    455 GroupFull "The group has as many members as it takes.";
    456 ScreenNameTaken "A member of the group is called so.";
    458 UnknownInvite "There is no such invitation, or it has lapsed.";
    459 OwnerStays "The owner leaves a group by handing it on, or by deleting it.";
    460 UnknownList "You have no list of this name.";
    461 ListExists "You have a list of this name.";
    470 UnknownContent "The group has no such content that you can see.";
    471 ContentTooLarge "The content is larger than is kept.";
    472 WrongOffset "The next chunk begins elsewhere.";
    473 UnknownUpload "No such content is on its way, or it took too long.";
    480 PhonesOff "This service reaches no phones.";
    481 UnknownPhone "This phone is none of yours.";
    482 WrongCode "That is not the code that was sent.";
    483 CodeLapsed "The code has lapsed; ask for another one.";
    490 BadPresence "A presence value does not fit its definition, its time, or the others.";
    491 UnknownValue "There is no such presence value.";
    492 UnknownQuestion "There is no such open question: it has its answer, has lapsed, or was never put.";
    493 UnknownSubscription "There is no such subscription.";
    500 StorageFailed "The store failed; nothing was done.";
    501 Overloaded "There is too much to do; try again.";
    502 Closing "The service is closing.";
}

impl Code {
    /// Whether the same request may succeed later without a change.
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::WaitToSignIn
                | Self::TooFast
                | Self::InboxFull
                | Self::StorageFailed
                | Self::Overloaded
                | Self::Closing
        )
    }

    /// Whether it was done, at least in part.
    pub const fn is_done(self) -> bool {
        matches!(self, Self::Done | Self::PartlyDone)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u16(self.number())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = u16::deserialize(from)?;
        Self::from_number(number)
            .ok_or_else(|| D::Error::custom(format_args!("{number} is no status code")))
    }
}

impl JsonSchema for Code {
    fn schema_name() -> Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let numbers: Vec<u16> = Self::ALL.iter().map(|code| code.number()).collect();
        json_schema!({
            "type": "integer",
            "description": "How a request ended.",
            "enum": numbers,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_order_and_come_back() {
        assert!(
            Code::ALL
                .windows(2)
                .all(|pair| pair[0].number() < pair[1].number())
        );
        for &code in Code::ALL {
            assert_eq!(Code::from_number(code.number()), Some(code));
            assert!(code.sentence().ends_with('.'), "{}", code.name());
        }
        assert_eq!(Code::from_number(999), None);
    }
}
