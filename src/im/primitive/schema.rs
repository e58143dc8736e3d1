//! The JSON Schema of all primitives, made from the types.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{FromClient, ToClient};
use crate::im::names::{Position, SessionId, TransactionId};

/// The schema: `$defs/FromClient` and `$defs/ToClient` are what travels, everything fits one of the two.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let transaction = generator.subschema_for::<TransactionId>();
    let session = generator.subschema_for::<SessionId>();
    let position = generator.subschema_for::<Position>();
    let mut sets = Map::new();
    for (set, primitives) in [
        ("FromClient", FromClient::schemas(&mut generator)),
        ("ToClient", ToClient::schemas(&mut generator)),
    ] {
        let to_client = set == "ToClient";
        let all: Vec<Value> = primitives
            .into_iter()
            .map(|(name, elements)| {
                let mut properties = json!({
                    "primitive": {"const": name},
                    "transaction": transaction,
                    "session": session,
                    "elements": elements,
                });
                let mut required = vec!["primitive"];
                if to_client {
                    properties["position"] = json!(position);
                    properties["at"] = json!({"type": "string", "format": "date-time"});
                    required.push("elements");
                } else {
                    required.push("transaction");
                }
                json!({
                    "type": "object",
                    "title": name,
                    "properties": properties,
                    "required": required,
                    "additionalProperties": false,
                })
            })
            .collect();
        sets.insert(set.into(), json!({"oneOf": all}));
    }
    let mut definitions = generator.take_definitions(true);
    definitions.append(&mut sets);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Primitives of the Sluice IM service",
        "anyOf": [{"$ref": "#/$defs/FromClient"}, {"$ref": "#/$defs/ToClient"}],
        "$defs": definitions,
    })
}
