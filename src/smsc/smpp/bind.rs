//! Logging in: what we say, and what the SMSC's answer tells about it.

use crate::codec::smpp::{
    Address, Bind, BindRespView, COctets, CommandId, Pdu, Status, Tag, TlvList, VERSION_3_3,
    VERSION_3_4, VERSION_5_0,
};
use crate::smsc::session::Down;

use super::answers::{reason_of_bind, retry_of_bind};
use super::config::Config;
use super::options::{BindKind, TlvUse, Version};

impl BindKind {
    /// The command that logs in.
    pub(super) const fn command(self) -> CommandId {
        match self {
            Self::Transceiver => CommandId::BIND_TRANSCEIVER,
            Self::Transmitter => CommandId::BIND_TRANSMITTER,
            Self::Receiver => CommandId::BIND_RECEIVER,
        }
    }
}

/// The bind of an account.
pub(super) fn write(config: &Config) -> Pdu {
    let checked = "the configuration was checked";
    let bind = Bind {
        system_id: COctets::new("system_id", config.system_id.as_bytes()).expect(checked),
        password: COctets::new("password", config.password.expose().as_bytes()).expect(checked),
        system_type: COctets::new("system_type", config.system_type.as_bytes()).expect(checked),
        interface_version: match config.interface_version {
            Version::V3_3 => VERSION_3_3,
            Version::V3_4 => VERSION_3_4,
            Version::V5_0 => VERSION_5_0,
        },
        address_range: Address::new(
            "address_range",
            config.addr_ton,
            config.addr_npi,
            config.address_range.as_bytes(),
        )
        .expect(checked),
        tlvs: TlvList::new(),
    };
    match config.bind {
        BindKind::Transceiver => Pdu::BindTransceiver(bind),
        BindKind::Transmitter => Pdu::BindTransmitter(bind),
        BindKind::Receiver => Pdu::BindReceiver(bind),
    }
}

/// What the SMSC says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Peer {
    /// For people.
    pub(super) description: String,
    /// Whether it gets TLVs.
    pub(super) takes_tlvs: bool,
}

/// Reads the answer to a bind that went well.
pub(super) fn read(config: &Config, answer: &BindRespView<'_>) -> Peer {
    let name = answer.system_id.octets().unwrap_or_default();
    let name = if name.is_empty() {
        "an SMSC without a name".into()
    } else {
        name[..name.len().min(64)].escape_ascii().to_string()
    };
    // An SMSC that does not say so is of the time before 3.4.
    let version = answer.tlvs.octet(Tag::SC_INTERFACE_VERSION);
    let description = match version {
        Some(version) => format!("{name}, SMPP {}.{}", version >> 4, version & 0x0F),
        None => format!("{name}, SMPP before 3.4"),
    };
    let takes_tlvs = match config.tlvs {
        TlvUse::Always => true,
        TlvUse::Never => false,
        TlvUse::Auto => {
            config.interface_version != Version::V3_3
                && version.is_some_and(|version| version >= VERSION_3_4)
        }
    };
    Peer {
        description,
        takes_tlvs,
    }
}

/// Why a refused bind ends the connection.
pub(super) fn refused(status: Status) -> Down {
    Down {
        reason: format!(
            "the SMSC refused the bind with {status}: {}",
            reason_of_bind(status)
        ),
        retry: retry_of_bind(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smsc::session::Retry;

    #[test]
    fn what_the_smsc_says_decides_about_tlvs() {
        let config = Config::default();
        let peer =
            |body: &[u8], config: &Config| read(config, &BindRespView::decode(body).unwrap());
        let new = b"SMSC\0\x02\x10\x00\x01\x34";
        let old = b"SMSC\0\x02\x10\x00\x01\x33";
        assert_eq!(peer(new, &config).description, "SMSC, SMPP 3.4");
        assert!(peer(new, &config).takes_tlvs);
        assert!(!peer(old, &config).takes_tlvs);
        assert_eq!(
            peer(b"SMSC\0", &config).description,
            "SMSC, SMPP before 3.4"
        );
        assert_eq!(
            peer(b"", &config).description,
            "an SMSC without a name, SMPP before 3.4"
        );
        let always = Config {
            tlvs: TlvUse::Always,
            ..config.clone()
        };
        assert!(peer(b"", &always).takes_tlvs);
        let ours_is_old = Config {
            interface_version: Version::V3_3,
            ..config
        };
        assert!(!peer(new, &ours_is_old).takes_tlvs);
    }

    #[test]
    fn a_wrong_password_is_one_clear_reason() {
        let down = refused(Status::INVALID_PASSWORD);
        assert_eq!(
            down.reason,
            "the SMSC refused the bind with RINVPASWD: the password is wrong"
        );
        assert_eq!(down.retry, Retry::Refused);
    }
}
