//! Who is admitted and who is not, and what both ends say of it.

use std::sync::Arc;
use std::time::Duration;

use sluice::link::pki::Bundle;
use sluice::link::transport::{Carrier, Choice, Ended, Failure, Listener};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::{TlsConnector, rustls};

use super::{
    BOTH, Log, Operator, YEAR, connected, earlier, failure, now, only, soon, until_it_comes,
};

#[tokio::test]
async fn who_is_not_admitted_hears_why_and_central_logs_it() {
    for carrier in BOTH {
        let operator = Operator::new();
        let mut log = Log::listen();
        let listener = operator.listen();
        let to = listener.local_address();
        let refused = async |bundle: &Bundle| {
            let connector = operator.connector(bundle, to, only(carrier));
            let error = soon(connector.connect()).await.unwrap_err();
            assert!(error.needs_operator(), "{error}");
            match failure(&error) {
                Failure::Refused(words) => words,
                other => panic!("{other}"),
            }
        };

        let before = std::fs::read(operator.register()).unwrap();
        let unknown = operator.enrol("bergen");
        std::fs::write(operator.register(), before).unwrap();
        let said = refused(&unknown).await;
        assert!(said.contains("edge bergen is not enrolled here"), "{said}");
        log.says("refused: edge bergen is not enrolled here").await;

        let stolen = operator.enrol("tromso");
        let mut authority = operator.authority();
        authority
            .revoke("tromso", Some("the box was stolen"), now())
            .unwrap();
        drop(authority);
        let said = refused(&stolen).await;
        assert!(said.contains("edge tromso was revoked on"), "{said}");
        assert!(said.ends_with(": the box was stolen"), "{said}");
        log.says("the box was stolen").await;

        let old = operator
            .authority()
            .enrol("narvik", YEAR / 2, earlier(YEAR))
            .unwrap();
        let said = refused(&old).await;
        assert!(
            said.contains("the certificate of edge narvik expired on"),
            "{said}"
        );
        assert!(said.contains("sluice pair renew narvik"), "{said}");
        log.says("certificate of edge narvik expired").await;

        let young = operator
            .authority()
            .enrol("bodo", YEAR, now() + 3 * YEAR)
            .unwrap();
        let said = refused(&young).await;
        assert!(
            said.contains("not yet valid") && said.contains("clock says"),
            "{said}"
        );
        log.says("certificate of edge bodo is not yet valid").await;

        let renamed = operator.enrol("molde");
        let register = std::fs::read_to_string(operator.register()).unwrap();
        let swapped = register.replace("edge = \"molde\"", "edge = \"alta\"");
        assert_ne!(swapped, register);
        std::fs::write(operator.register(), swapped).unwrap();
        let said = refused(&renamed).await;
        assert!(
            said.contains("says edge molde and was given to edge alta"),
            "{said}"
        );
        log.says("was given to edge alta").await;

        let first = operator.enrol("vadso");
        operator
            .authority()
            .renew("vadso", YEAR, Duration::ZERO, now())
            .unwrap();
        let said = refused(&first).await;
        assert!(said.contains("vadso has a newer certificate"), "{said}");

        let stranger = Operator::new();
        let mut mixed = operator.enrol("oslo");
        let theirs = stranger.enrol("oslo");
        (mixed.certificate, mixed.key) = (theirs.certificate, theirs.key);
        let said = refused(&mixed).await;
        assert!(said.contains("does not know the authority"), "{said}");
        log.says("is not signed by our authority").await;
        assert_eq!(listener.connections(), 0);
    }
}

#[tokio::test]
async fn an_edge_talks_to_its_own_central_alone_and_says_why() {
    for carrier in BOTH {
        let operator = Operator::new();
        let mut log = Log::listen();
        let bundle = operator.enrol("oslo");
        let untrusted = async |listener: &Listener| {
            let to = listener.local_address();
            let connector = operator.connector(&bundle, to, only(carrier));
            let error = soon(connector.connect()).await.unwrap_err();
            assert!(error.needs_operator(), "{error}");
            match failure(&error) {
                Failure::Untrusted(words) => words,
                other => panic!("{other}"),
            }
        };

        let stranger = Operator::new();
        let listener = stranger.listen();
        let said = untrusted(&listener).await;
        assert!(said.contains("is not signed by our authority"), "{said}");
        log.says("the caller broke off: the far end does not know the authority")
            .await;

        operator
            .authority()
            .renew_central(YEAR / 4, earlier(YEAR / 2))
            .unwrap();
        let listener = operator.listen();
        let said = untrusted(&listener).await;
        assert!(said.contains("central's certificate expired on"), "{said}");
        assert!(said.contains("the clock of this machine says"), "{said}");
        log.says("the far end finds our certificate expired or not yet valid")
            .await;

        // The same as a clock at the edge that is three years late.
        operator
            .authority()
            .renew_central(YEAR, now() + 3 * YEAR)
            .unwrap();
        let listener = operator.listen();
        let said = untrusted(&listener).await;
        assert!(
            said.contains("is not yet valid") && said.contains("set the clock"),
            "{said}"
        );

        let settings = operator.pki().join("authority.toml");
        let text = std::fs::read_to_string(&settings).unwrap();
        std::fs::write(&settings, text.replace("\"main\"", "\"other\"")).unwrap();
        operator.authority().renew_central(YEAR, now()).unwrap();
        let listener = operator.listen();
        let said = untrusted(&listener).await;
        assert!(said.contains("the far end is central other"), "{said}");
        assert!(said.contains("paired with central main"), "{said}");
        log.says("it may expect another name").await;

        // Another edge that plays central.
        let evil = operator.enrol("evil");
        std::fs::write(operator.pki().join("central.pem"), evil.certificate).unwrap();
        std::fs::write(operator.pki().join("central.key"), evil.key).unwrap();
        let listener = operator.listen();
        let said = untrusted(&listener).await;
        assert!(said.contains("is that of edge evil"), "{said}");
    }
}

/// TLS as somebody makes it who has no bundle of ours.
fn foreign_tls(bundle: &Bundle, with: Option<(&str, &str)>) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    roots.add(der(&bundle.authority)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut tls = match with {
        None => tls.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            tls.with_client_auth_cert(vec![der(certificate)], key)
                .unwrap()
        }
    };
    tls.alpn_protocols = vec![b"sluice-link/1".to_vec()];
    TlsConnector::from(Arc::new(tls))
}

#[tokio::test]
async fn without_a_certificate_for_an_edge_nobody_comes_in() {
    let operator = Operator::new();
    let mut log = Log::listen();
    let bundle = operator.enrol("oslo");
    let listener = operator.listen();
    let call = async |tls: TlsConnector| {
        let socket = TcpStream::connect(listener.local_address()).await.unwrap();
        let name = "main.central.sluice".try_into().unwrap();
        let mut stream = tls.connect(name, socket).await.unwrap();
        let mut came = Vec::new();
        stream.read_to_end(&mut came).await.map(|_| came)
    };
    let error = soon(call(foreign_tls(&bundle, None))).await.unwrap_err();
    assert!(error.to_string().contains("CertificateRequired"), "{error}");
    log.says("peer sent no certificates").await;

    let read = |name| std::fs::read_to_string(operator.pki().join(name)).unwrap();
    let (certificate, key) = (read("central.pem"), read("central.key"));
    let tls = foreign_tls(&bundle, Some((&certificate, &key)));
    let error = soon(call(tls)).await.unwrap_err();
    assert!(
        error.to_string().contains("UnsupportedCertificate"),
        "{error}"
    );
    log.says("is that of central main, which cannot be used at this end")
        .await;
    assert_eq!(listener.connections(), 0);
}

#[tokio::test]
async fn a_revoked_edge_is_cut_off_while_connected() {
    for carrier in BOTH {
        let operator = Operator::new();
        let mut log = Log::listen();
        let (mut listener, _connector, edge, central) = connected(&operator, carrier).await;
        let other = operator.enrol("bergen");
        let to = listener.local_address();
        let staying = soon(operator.connector(&other, to, only(carrier)).connect())
            .await
            .unwrap();
        let stays = soon(listener.accept()).await;

        operator
            .authority()
            .revoke("oslo", Some("sold"), now())
            .unwrap();
        let Ended::Refused(said) = soon(edge.closed()).await else {
            panic!("{:?}", edge.ended());
        };
        assert!(
            said.contains("edge oslo was revoked") && said.ends_with(": sold"),
            "{said}"
        );
        assert!(matches!(soon(central.closed()).await, Ended::Here(_)));
        log.says("cut off: edge oslo was revoked").await;
        until_it_comes(&staying, &stays, b"still here").await;
    }
}

#[tokio::test]
async fn a_certificate_that_ends_cuts_its_edge_off_and_a_new_one_is_taken_up() {
    let operator = Operator::new();
    let mut log = Log::listen();
    let mut listener = operator.listen();
    let short = Duration::from_secs(3);
    let bundle = operator.authority().enrol("oslo", short, now()).unwrap();
    let connector = operator.connector(&bundle, listener.local_address(), Choice::Quic);
    let edge = soon(connector.connect()).await.unwrap();
    let _central = soon(listener.accept()).await;
    log.says("run `sluice pair renew oslo`").await;
    let Ended::Refused(said) = soon(edge.closed()).await else {
        panic!("{:?}", edge.ended());
    };
    assert!(said.contains("expired"), "{said}");

    let renewed = operator
        .authority()
        .renew("oslo", YEAR, short, now())
        .unwrap();
    renewed
        .replace(&operator.home.path().join("oslo.pair"))
        .unwrap();
    soon(connector.connect()).await.unwrap();
    log.says("took up a new pairing").await;
}

#[tokio::test]
async fn a_damaged_register_changes_nothing_and_says_so() {
    let operator = Operator::new();
    let mut log = Log::listen();
    let (_listener, connector, edge, central) = connected(&operator, Carrier::Quic).await;
    std::fs::write(operator.register(), "[[certificate]]\nnonsense").unwrap();
    log.says("the register as it was before stays in force")
        .await;
    log.says("register.toml is damaged or not ours").await;
    until_it_comes(&edge, &central, b"on").await;
    soon(connector.connect()).await.unwrap();
}
