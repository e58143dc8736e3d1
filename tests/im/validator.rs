//! A validator for JSON Schema, as far as the schema of the primitives uses it. What it does not know makes it panic, so
//! that nothing is taken for checked that is not.

use serde_json::Value;

/// Whether a value fits; if not, why.
pub(super) fn fits(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let Some(rules) = schema.as_object() else {
        return match schema {
            Value::Bool(true) => Ok(()),
            _ => Err("nothing fits here".into()),
        };
    };
    for (rule, given) in rules {
        check(root, schema, rule, given, value)?;
    }
    Ok(())
}

fn check(
    root: &Value,
    schema: &Value,
    rule: &str,
    given: &Value,
    value: &Value,
) -> Result<(), String> {
    let fail = || Err(format!("{value} breaks {rule}: {given}"));
    let number = |limit: &Value| limit.as_f64().expect("a limit is a number");
    let length = || value.as_str().map(|text| text.chars().count() as f64);
    let is_good = match rule {
        "$ref" => {
            let path = given.as_str().unwrap().strip_prefix('#').unwrap();
            return fits(
                root,
                root.pointer(path).expect("references lead somewhere"),
                value,
            );
        }
        "type" => match given {
            Value::String(kind) => has_type(kind, value),
            Value::Array(kinds) => kinds
                .iter()
                .any(|kind| has_type(kind.as_str().unwrap(), value)),
            _ => panic!("a type is a name or several"),
        },
        "const" => value == given,
        "enum" => given.as_array().unwrap().contains(value),
        "anyOf" => {
            let all = given.as_array().unwrap();
            all.iter().any(|one| fits(root, one, value).is_ok())
        }
        "oneOf" => {
            let all = given.as_array().unwrap();
            let fitting = all
                .iter()
                .filter(|one| fits(root, one, value).is_ok())
                .count();
            if fitting != 1 && all.len() > 10 {
                // Say which one it should have been.
                let name = &value["primitive"];
                for one in all
                    .iter()
                    .filter(|one| one["properties"]["primitive"]["const"] == *name)
                {
                    fits(root, one, value)?;
                }
            }
            fitting == 1
        }
        "properties" => {
            for (name, schema) in given.as_object().unwrap() {
                if let Some(value) = value.get(name) {
                    fits(root, schema, value).map_err(|why| format!("{name}: {why}"))?;
                }
            }
            true
        }
        "required" => given
            .as_array()
            .unwrap()
            .iter()
            .all(|name| value.get(name.as_str().unwrap()).is_some()),
        "additionalProperties" if given == &Value::Bool(false) => {
            let known = schema.get("properties").and_then(Value::as_object);
            value.as_object().is_none_or(|fields| {
                fields
                    .keys()
                    .all(|name| known.is_some_and(|known| known.contains_key(name)))
            })
        }
        "items" => {
            for item in value.as_array().into_iter().flatten() {
                fits(root, given, item)?;
            }
            true
        }
        "maxItems" => value
            .as_array()
            .is_none_or(|all| all.len() as f64 <= number(given)),
        "minItems" => value
            .as_array()
            .is_none_or(|all| all.len() as f64 >= number(given)),
        "maxLength" => length().is_none_or(|length| length <= number(given)),
        "minLength" => length().is_none_or(|length| length >= number(given)),
        "minimum" => value.as_f64().is_none_or(|value| value >= number(given)),
        "maximum" => value.as_f64().is_none_or(|value| value <= number(given)),
        // Patterns are those of constructors, which the reading of the same example has gone through.
        "pattern" | "format" | "description" | "title" | "default" | "contentEncoding" => true,
        unknown => panic!("the validator does not know {unknown}"),
    };
    if is_good { Ok(()) } else { fail() }
}

fn has_type(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the validator does not know the type {other}"),
    }
}

#[test]
fn the_validator_finds_what_does_not_fit() {
    let schema = serde_json::json!({
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/small"}, "b": {"enum": [1, 2]}},
        "required": ["a"],
        "additionalProperties": false,
        "$defs": {"small": {"type": "string", "maxLength": 2}},
    });
    let mut rules = schema.clone();
    rules.as_object_mut().unwrap().remove("$defs");
    let check = |value: Value| fits(&schema, &rules, &value);
    assert_eq!(check(serde_json::json!({"a": "xy", "b": 1})), Ok(()));
    for wrong in [
        serde_json::json!({"a": "xyz"}),
        serde_json::json!({"b": 1}),
        serde_json::json!({"a": "x", "b": 3}),
        serde_json::json!({"a": "x", "c": 3}),
        serde_json::json!({"a": 1}),
        serde_json::json!([]),
    ] {
        assert!(check(wrong.clone()).is_err(), "{wrong}");
    }
}
