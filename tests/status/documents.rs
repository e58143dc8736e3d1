//! The documents' form, as it is published.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde_json::{Value, json};
use sluice::status::changes::Changes;
use sluice::status::snapshot::{Snapshot, TraceView, VERSION};
use sluice::status::{Done, ErrorView, Names, REQUESTS, Sessions};

fn schema<T: JsonSchema>() -> Value {
    schemars::schema_for!(T).to_value()
}

/// With `SLUICE_TELL=1` the file is written anew; a change of what is there needs another version.
#[test]
fn the_published_schema_is_that_of_the_types() {
    let all = json!({
        "version": VERSION,
        "status": schema::<Snapshot>(),
        "changes": schema::<Changes>(),
        "sessions": schema::<Sessions>(),
        "trace": schema::<TraceView>(),
        "names": schema::<Names>(),
        "order": schema::<Done>(),
        "error": schema::<ErrorView>(),
    });
    let written = format!("{}\n", serde_json::to_string_pretty(&all).unwrap());
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/status.schema.json");
    if std::env::var_os("SLUICE_TELL").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), written);
}

fn page(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("docs/{name}.md"));
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_manual_knows_every_request_and_every_number() {
    let page = page("status");
    for (request, _) in REQUESTS {
        assert!(
            page.contains(&format!("`{request}`")),
            "docs/status.md lacks `{request}`"
        );
    }
    for metric in sluice::status::metrics::METRICS {
        let row = format!("| `{}` | {} |", metric.name, metric.help);
        assert!(page.contains(&row), "docs/status.md lacks\n{row}");
    }
}

#[test]
fn the_manual_has_a_chapter_for_every_alarm() {
    let page = page("operations");
    for alarm in sluice::status::trouble::ALARMS {
        assert!(
            page.contains(&format!("### {}\n", alarm.code)),
            "docs/operations.md lacks {}",
            alarm.code
        );
    }
}
