//! Every refusal, in the words that an operator reads.

use sluice::central::config::CentralConfig;
use sluice::config::Document;
use sluice::edge::config::EdgeConfig;

use super::support::Folder;

/// LANE stands for an edge with a lane that lacks its account, TCP for one with it.
fn whole(text: &str) -> String {
    let lane = "name = 'oslo'\n[[lane]]\nname = 'a'\n";
    let tcp = "name = 'oslo'\n[[lane]]\nname = 'a'\nsmsc = { transport = 'tcp', host = 'smsc', port = 2000 }\n";
    let smpp = "smpp = { system_id = 'sluice' }\n";
    text.replace("LANE\n", lane)
        .replace("TCP\n", tcp)
        .replace("SMPP\n", smpp)
}

fn refused<D: Document>(cases: &[(&str, &str)]) {
    let folder = Folder::new();
    let wrong: Vec<_> = cases
        .iter()
        .map(|(text, expected)| (text, folder.told::<D>(&whole(text)), *expected))
        .filter(|(_, told, expected)| told != expected)
        .collect();
    assert_eq!(wrong, [], "text, what was told, what was expected");
}

#[test]
fn what_is_no_toml() {
    refused::<EdgeConfig>(&[
        (
            "name = 'oslo'\n[[lane]\n",
            "edge.toml:2:8: unclosed array table, expected `]`",
        ),
        ("name = 'oslo'\nname = 'x'", "edge.toml:2:1: duplicate key"),
        (
            "name = 99999999999999999999",
            "edge.toml:1:8: 99999999999999999999 is larger than any number here may be",
        ),
    ]);
}

#[test]
fn keys_and_words_that_are_none() {
    refused::<EdgeConfig>(&[
        (
            "nam = 'oslo'",
            "edge.toml:1:1: nam: there is no such key; the nearest is `name`",
        ),
        (
            "x = 1",
            "edge.toml:1:1: x: there is no such key; there are `lane`, `link`, `log`, `metrics`, `name`, `rings` and \
             `status`",
        ),
        (
            "LANE\nsmsc = { transport = 'tcp', hosst = 'x', port = 1 }",
            "edge.toml:4:29: lane[a].smsc.hosst: there is no such key; the nearest is `host`",
        ),
        (
            "LANE\nsmsc = { transport = 'tpc' }",
            "edge.toml:4:22: lane[a].smsc.transport: \"tpc\" is none of `tcp`, `tls` and `serial`",
        ),
        (
            "TCP\nsmpp = { system_id = 'a', enquire_link_intervl = '30s' }",
            "edge.toml:5:27: lane[a].smpp.enquire_link_intervl: there is no such key; the nearest is \
             `enquire_link_interval`",
        ),
        (
            "TCP\nsmpp = { system_id = 'a', pasword_file = '/x' }",
            "edge.toml:5:27: lane[a].smpp.pasword_file: there is no such key; the nearest is `password_file`",
        ),
        (
            "TCP\nSMPP\nin_doubt = 'retry'",
            "edge.toml:6:12: lane[a].in_doubt: \"retry\" is none of `resend`, `hold` and `drop`",
        ),
        (
            "name = 'oslo'\n[link]\ntransport = 'udp'",
            "edge.toml:3:13: link.transport: \"udp\" is none of `auto`, `quic` and `tcp`",
        ),
        (
            "name = 'oslo'\n[log]\nto = 'syslog'",
            "edge.toml:3:6: log.to: \"syslog\" is none of `auto`, `journald` and `stderr`",
        ),
    ]);
    refused::<CentralConfig>(&[(
        "[lnk]",
        "central.toml:1:2: lnk: there is no such key; the nearest is `link`",
    )]);
}

#[test]
fn values_of_the_wrong_kind() {
    refused::<EdgeConfig>(&[
        (
            "name = 'oslo'\nlane = 3",
            "edge.toml:2:8: lane: is 3, and a list is expected",
        ),
        (
            "name = true",
            "edge.toml:1:8: name: is true, and a text in quotes is expected",
        ),
        (
            "name = ['a']",
            "edge.toml:1:8: name: is a list, and a text in quotes is expected",
        ),
        (
            "name = {}",
            "edge.toml:1:8: name: is a section, and a text in quotes is expected",
        ),
        (
            "name = 2026-01-01",
            "edge.toml:1:8: name: 2026-01-01 is a date, and no option takes one; write texts in quotes",
        ),
        ("", "edge.toml:1:1: `name` is missing, and has no default"),
        (
            "LANE\n",
            "edge.toml:2:1: lane[a]: `smsc` is missing, and has no default",
        ),
        (
            "LANE\nmo = 'yes'",
            "edge.toml:4:6: lane[a].mo: is \"yes\", and true or false is expected",
        ),
        (
            "LANE\nthroughput = 'fast'",
            "edge.toml:4:14: lane[a].throughput: is \"fast\", and a number is expected",
        ),
        (
            "LANE\nsmsc = { transport = 'tcp', host = 'x', port = 70000 }",
            "edge.toml:4:48: lane[a].smsc.port: is 70000, and a whole number from 0 to 65535 is expected",
        ),
        (
            "LANE\nsmsc = { transport = 'tcp', host = 'x' }",
            "edge.toml:4:8: lane[a].smsc: transport \"tcp\" needs `port`",
        ),
        (
            "LANE\nsmsc = { transport = 'serial', device = '/dev/ttyS0', port = 3 }",
            "edge.toml:4:8: lane[a].smsc: `port` means nothing with transport \"serial\"",
        ),
        (
            "TCP\nsmpp = { system_id = 'a', enquire_link_interval = 30 }",
            "edge.toml:5:51: lane[a].smpp.enquire_link_interval: is 30, and a text in quotes is expected, as in \"30\" \
             or, for a time, \"30s\"",
        ),
        (
            "TCP\nsmpp = { system_id = 'a', enquire_link_interval = '30' }",
            "edge.toml:5:51: lane[a].smpp.enquire_link_interval: \"30\" is no duration (time unit needed, for example \
             30sec or 30ms); write it as in 30s or 1h 30m",
        ),
        (
            "name = 'oslo'\n[status]\nmode = '999'",
            "edge.toml:3:8: status.mode: \"999\" is no mode; write it as chmod takes it, as in \"0660\"",
        ),
    ]);
}

#[test]
fn an_edge_that_could_not_work() {
    refused::<EdgeConfig>(&[
        (
            "name = 'Oslo'",
            "edge.toml:1:8: name: the name holds 'O'; letters a-z, digits, '-', '_' and '.' are allowed\n\
             edge.toml:1:1: there is no lane; add [[lane]] with the SMSC and the account",
        ),
        (
            "TCP\n",
            "edge.toml:2:1: lane[a]: the account is missing: add [lane.smpp] or [lane.cimd2]",
        ),
        (
            "TCP\nSMPP\ncimd2 = {}",
            "edge.toml:6:9: lane[a].cimd2: a lane speaks one protocol; take out either [lane.smpp] or [lane.cimd2]",
        ),
        (
            "TCP\nsmpp = {}",
            "edge.toml:5:8: lane[a].smpp.system_id: is empty; the carrier gives it",
        ),
        (
            "TCP\ncimd2 = { username = 'sluice' }",
            "edge.toml:5:9: lane[a].cimd2.password_file: is empty; give 1 to 32 characters",
        ),
        (
            "TCP\nsmpp = { system_id = 'a', bind = 'transmitter' }",
            "edge.toml:5:34: lane[a].smpp.bind: a transmitter takes no messages from phones; set mo = false for this lane",
        ),
        (
            "TCP\nsmpp = { system_id = 'a', bind = 'receiver' }",
            "edge.toml:5:34: lane[a].smpp.bind: a receiver carries no texts to phones; set mt = false for this lane",
        ),
        (
            "TCP\nSMPP\nmo = false\nmt = false",
            "edge.toml:6:6: lane[a].mo: neither mo nor mt is on, so the lane would carry nothing",
        ),
        (
            "TCP\nSMPP\nthroughput = 0",
            "edge.toml:6:14: lane[a].throughput: is not between 0.1 and 100000 messages a second",
        ),
        (
            "TCP\nSMPP\nstuck_after = '1s'",
            "edge.toml:6:15: lane[a].stuck_after: is not between 10s and 1 day",
        ),
        (
            "LANE\nSMPP\nsmsc = { transport = 'tcp', host = '', port = 0 }",
            "edge.toml:5:36: lane[a].smsc.host: is empty\n\
             edge.toml:5:47: lane[a].smsc.port: is 0; the carrier gives it",
        ),
        (
            "LANE\nSMPP\nsmsc = { transport = 'serial', device = 'ttyS0' }",
            "edge.toml:5:41: lane[a].smsc.device: is no whole path, as in /dev/ttyS0",
        ),
        (
            "TCP\nSMPP\n[[lane]]\nname = 'a'\nsmsc = { transport = 'tcp', host = 'x', port = 1 }\nSMPP\n",
            "edge.toml:7:8: lane[a].name: \"a\" is there twice",
        ),
        (
            "TCP\nSMPP\n[rings]\ndirectory = 'rings'",
            "edge.toml:7:13: rings.directory: depends on where the service is started; write the whole path",
        ),
        (
            "TCP\nSMPP\n[link]\nbundle = 'edge.pair'",
            "edge.toml:7:10: link.bundle: depends on where the service is started; write the whole path",
        ),
    ]);
}

#[test]
fn a_central_that_could_not_work() {
    let base = "[[edge]]\nname = 'oslo'\n[[edge.lane]]\nname = 'a'\n[[edge.lane]]\nname = 'r'\nmt = false\n";
    let refused = |cases: &[(&str, &str)]| {
        for (text, expected) in cases {
            refused::<CentralConfig>(&[(&format!("{base}{text}"), expected)]);
        }
    };
    refused(&[
        (
            "[[route]]\nprefixes = ['47']\nlanes = ['oslo/a']",
            "central.toml:9:12: route[1].prefixes: \"47\" does not begin a number; write it as in \"+4790\"",
        ),
        (
            "[[route]]\nlanes = ['oslo']",
            "central.toml:9:9: route[1].lanes: \"oslo\" is no lane: a lane is written edge/lane, as in oslo/carrier-1",
        ),
        (
            "[[route]]\nlanes = ['oslo/b']\noperator = 'x'",
            "central.toml:10:12: route[1].operator: no lane has operator \"x\"\n\
             central.toml:9:9: route[1].lanes: there is no lane oslo/b; it is named by [[edge]] and [[edge.lane]]",
        ),
        (
            "[[route]]\nlanes = ['oslo/a']\nreserve = ['oslo/r']",
            "central.toml:10:11: route[1].reserve: lane oslo/r carries no texts to phones (mt = false)",
        ),
        (
            "[[route]]\n",
            "central.toml:8:1: route[1]: leads nowhere; name `lanes`, or an `operator` that lanes have",
        ),
        (
            "short_codes = ['abc']",
            "central.toml:8:15: edge[oslo].lane[r].short_codes: \"abc\" holds 'a'; only digits are allowed; write a \
             short code, as in \"12345\", or a whole number, as in \"+4759440000\"",
        ),
        (
            "weight = 1001\n[[route]]\nlanes = ['oslo/a']",
            "central.toml:8:10: edge[oslo].lane[r].weight: is not between 0 and 1000",
        ),
        (
            "[[edge]]\nname = 'oslo'\n[[route]]\nlanes = ['oslo/a']",
            "central.toml:9:8: edge[oslo].name: \"oslo\" is there twice",
        ),
        (
            "[[route]]\nlanes = ['oslo/a']\n[backlog]\nlimit = 0\nvalidity = '1s'\n[tracking]\nretention = '1s'\n[parts]\n\
             timeout = '30days'\n[store]\ndirectory = 'store'",
            "central.toml:18:13: store.directory: depends on where the service is started; write the whole path\n\
             central.toml:11:9: backlog.limit: is 0, so nothing could wait for a lane\n\
             central.toml:12:12: backlog.validity: is not between 1min and 63 weeks\n\
             central.toml:14:13: tracking.retention: is not between 1min and 366 days\n\
             central.toml:16:11: parts.timeout: is not between 1s and 7 days",
        ),
        (
            "",
            "warning: central.toml:1:1: there is no [[route]], so every lane carries texts to every phone, by weight\n",
        ),
    ]);
}

#[test]
fn an_im_service_that_could_not_work() {
    let base = "[[edge]]\nname = 'oslo'\n[[edge.lane]]\nname = 'a'\nshort_codes = ['17000']\n[[route]]\nlanes = ['oslo/a']\n";
    for (text, expected) in [
        ("[im]\n[im.door]\n[im.phones]\nnumber = '17000'", ""),
        (
            "[im]\nsing_up = true",
            "central.toml:9:1: im.sing_up: there is no such key; the nearest is `sign_up`",
        ),
        (
            "[im.dor]\nlisten = '127.0.0.1:24780'",
            "central.toml:8:5: im.dor: there is no such key; the nearest is `door`",
        ),
        (
            "[im.door]\nlisten = '24780'",
            "central.toml:9:10: im.door.listen: is no address with a port; write it as in \"127.0.0.1:9000\" or \"[::]:9000\"",
        ),
        (
            "[im.door]\nlisten = '0.0.0.0:24780'",
            "central.toml:9:10: im.door.listen: can be reached by others than this machine, and without TLS all they say \
             could be read on the way; give `certificate` and `key`, or listen on 127.0.0.1 with something in front that \
             speaks TLS",
        ),
        (
            "[im.door]\ncertificate = '/etc/sluice/im.crt'",
            "central.toml:9:15: im.door.certificate: needs its `key`, too",
        ),
        (
            "[im.door]\nping = 60",
            "central.toml:9:8: im.door.ping: is 60, and a text in quotes is expected, as in \"60\" or, for a time, \"60s\"",
        ),
        (
            "[im]\nsession_lapses_after = '30'",
            "central.toml:9:24: im.session_lapses_after: \"30\" is no duration (time unit needed, for example 30sec or \
             30ms); write it as in 30s or 7days",
        ),
        (
            "[im.phones]\nreply_count = 5",
            "central.toml:8:1: im.phones: `number` is missing, and has no default",
        ),
        (
            "[im.phones]\nnumber = '+4759440000'",
            "central.toml:9:10: im.phones.number: short code: holds '+'; only digits are allowed",
        ),
        (
            "[im.phones]\nnumber = '17000'\nreply_first = '16990'\nreply_count = 50",
            "central.toml:10:15: im.phones.reply_first: begins a range that holds phones.number",
        ),
        (
            "[im]\nmax_text = 20000",
            "central.toml:9:12: im.max_text: is not within 1 to 16384",
        ),
        (
            "[im.phones]\nnumber = '17001'",
            "warning: central.toml:9:10: im.phones.number: \"17001\" is none of the short codes of any lane; is it a number \
             that a carrier gave you?\n",
        ),
    ] {
        refused::<CentralConfig>(&[(&format!("{base}{text}"), expected)]);
    }
}

#[test]
fn status_metrics_and_log_that_make_no_sense() {
    refused::<EdgeConfig>(&[
        (
            "TCP\nSMPP\n[status]\nmode = '0666'",
            "edge.toml:7:8: status.mode: would let everybody on this machine give orders; let them be in the group \
             instead, as with \"0660\"",
        ),
        (
            "TCP\nSMPP\n[status]\nsocket = 'edge.sock'",
            "edge.toml:7:10: status.socket: depends on where the service is started; write the whole path",
        ),
        (
            "TCP\nSMPP\n[status]\nconnections = 0",
            "edge.toml:7:15: status.connections: is not between 1 and 1024",
        ),
        (
            "TCP\nSMPP\n[metrics]\nlisten = '0.0.0.0:9464'",
            "edge.toml:7:10: metrics.listen: 0.0.0.0:9464 can be reached from outside, and there is no sign-in; listen on \
             127.0.0.1 or [::1] and let a collector on this machine pass it on",
        ),
        (
            "TCP\nSMPP\n[log]\nfilter = 'a=b=c'",
            "edge.toml:7:10: log.filter: \"a=b=c\" is no filter (error parsing level filter: expected one of \"off\", \"error\", \"warn\", \"info\", \"debug\", \"trace\", or a number 0-5); write a level, as in \"info\"",
        ),
    ]);
    let long = format!("TCP\nSMPP\n[status]\nsocket = '/{}'", "x".repeat(107));
    refused::<EdgeConfig>(&[(
        &long,
        "edge.toml:7:10: status.socket: has more than the 107 characters that a socket's path may have",
    )]);
}

#[test]
fn secrets_stand_in_files_of_their_own() {
    let folder = Folder::new();
    folder.secret("open", "hush\n", 0o644);
    folder.secret("empty", "\n", 0o600);
    folder.secret("lines", "a\nb\n", 0o600);
    folder.secret("long", &"x".repeat(5000), 0o600);
    let cases = [
        (
            "password = 'geheim'",
            "password: secrets do not stand in a configuration; put it into /etc/sluice/credentials/NAME and \
             write password_file = \"credential:NAME\", or into a file that only the service reads and write \
             password_file = \"/etc/sluice/NAME.secret\"",
        ),
        (
            "password_file = 17",
            "password_file: a secret is named by its file, as in \"/etc/sluice/NAME.secret\" or \"credential:NAME\"",
        ),
        (
            "password_file = 'secret'",
            "password_file: secret depends on where the service is started; write the whole path, as in \
             /etc/sluice/secret",
        ),
        (
            "password_file = 'FOLDER/nowhere'",
            "password_file: cannot read nowhere: No such file or directory (os error 2)",
        ),
        (
            "password_file = 'FOLDER/open'",
            "password_file: open has mode 0644, so everybody on this machine can read it; run `chmod 640` on it, and ask \
             for another secret if somebody did",
        ),
        (
            "password_file = 'FOLDER/empty'",
            "password_file: empty is empty",
        ),
        (
            "password_file = 'FOLDER/lines'",
            "password_file: lines has more than one line",
        ),
        (
            "password_file = 'FOLDER/long'",
            "password_file: long is longer than any secret (4096 octets)",
        ),
        (
            "password_file = 'credential:../x'",
            "password_file: \"../x\" is no name of a credential; write it as in \"credential:carrier-1\"",
        ),
        (
            "password_file = 'credential:other'",
            "password_file: cannot read credentials/other: No such file or directory (os error 2); \
             it belongs into /etc/sluice/credentials/other, from where the unit hands it over",
        ),
    ];
    for (written, expected) in cases {
        let told = folder.told::<EdgeConfig>(&whole(&format!(
            "TCP\n[lane.smpp]\nsystem_id = 'a'\n{written}\n"
        )));
        let column = if written.starts_with("password =") {
            1
        } else {
            17
        };
        assert_eq!(
            told,
            format!("edge.toml:7:{column}: lane[a].smpp.{expected}")
        );
        assert!(!told.contains("geheim"));
    }
    // Without systemd.
    let file = folder.write(
        "edge.toml",
        &whole("TCP\nsmpp = { system_id = 'a', password_file = 'credential:x' }"),
    );
    let told = sluice::config::load_with::<EdgeConfig>(&file, None)
        .unwrap_err()
        .to_string();
    assert!(
        told.ends_with(
            "credential x comes from systemd, and this process has none; the unit hands over what lies in \
             /etc/sluice/credentials, or name a file here"
        ),
        "{told}"
    );
    // A secret of the right kind in the wrong place does not come out again.
    folder.secret("wrong", "geheimnis\n", 0o600);
    let told = folder.told::<EdgeConfig>(&whole(
        "TCP\n[lane.smpp]\nsystem_id = 'averyveryverylongname'\npassword_file = 'FOLDER/wrong'\n",
    ));
    assert_eq!(
        told,
        "edge.toml:6:13: lane[a].smpp.system_id: has 21 octets; 15 are allowed"
    );
}

#[test]
fn a_password_that_not_every_smsc_takes_is_worth_a_warning() {
    let folder = Folder::new();
    folder.secret("long", "more than eight", 0o600);
    assert_eq!(
        folder.told::<EdgeConfig>(&whole(
            "TCP\n[lane.smpp]\nsystem_id = 'a'\npassword_file = 'FOLDER/long'\n"
        )),
        "warning: edge.toml:7:17: lane[a].smpp.password_file: password has more than the 8 octets that SMPP allows; not \
         every SMSC takes that\n"
    );
}

#[test]
fn files_that_cannot_be_read() {
    let folder = Folder::new();
    let told = folder
        .load::<EdgeConfig>(&folder.path("none.toml"))
        .unwrap_err()
        .to_string();
    assert!(
        told.ends_with("none.toml: No such file or directory (os error 2); `--config FILE` names another configuration of this edge"),
        "{told}"
    );
}
