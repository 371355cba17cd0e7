//! JSON values as CEL values and back.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use kube::core::cel::cel::Value;
use kube::core::cel::cel::objects::{Key, Map};

/// Whole numbers become CEL integers, however they are stored: JSON does not tell `3` from `3.0`.
pub(super) fn to_cel(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => number_to_cel(number),
        serde_json::Value::String(text) => Value::String(Arc::new(text.clone())),
        serde_json::Value::Array(items) => Value::List(Arc::new(items.iter().map(to_cel).collect())),
        serde_json::Value::Object(map) => {
            let map: HashMap<Key, Value> =
                map.iter().map(|(key, value)| (Key::String(Arc::new(key.clone())), to_cel(value))).collect();
            Value::Map(Map { map: Arc::new(map) })
        }
    }
}

/// Only what is at or below the chains of fields in `reads`: converting a whole object costs more than most
/// expressions over it. An empty chain reads everything. What is no mapping is converted as it is, so that
/// errors are the same.
pub(super) fn to_cel_pruned(value: &serde_json::Value, reads: &[&[String]]) -> Value {
    let serde_json::Value::Object(fields) = value else { return to_cel(value) };
    let mut below: BTreeMap<&str, Vec<&[String]>> = BTreeMap::new();
    for read in reads {
        let Some((first, rest)) = read.split_first() else { return to_cel(value) };
        below.entry(first).or_default().push(rest);
    }
    let map: HashMap<Key, Value> = below
        .into_iter()
        .filter_map(|(name, reads)| {
            let value = to_cel_pruned(fields.get(name)?, &reads);
            Some((Key::String(Arc::new(name.to_owned())), value))
        })
        .collect();
    Value::Map(Map { map: Arc::new(map) })
}

fn number_to_cel(number: &serde_json::Number) -> Value {
    if let Some(integer) = number.as_i64() {
        return Value::Int(integer);
    }
    if let Some(unsigned) = number.as_u64() {
        return Value::UInt(unsigned);
    }
    let float = number.as_f64().unwrap_or(f64::NAN);
    // Beyond 2^53 a float does not name one integer, so nothing is won by turning it into one.
    if float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0 {
        #[expect(clippy::cast_possible_truncation, reason = "the float is whole and within 2^53")]
        return Value::Int(float as i64);
    }
    Value::Float(float)
}

/// The JSON of a value, or the kind of value that has none.
pub(super) fn to_json(value: &Value) -> Result<serde_json::Value, &'static str> {
    Ok(match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::UInt(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::String(text) => text.as_str().into(),
        Value::Timestamp(time) => time.to_rfc3339().into(),
        Value::Duration(duration) => duration_text(duration.num_seconds(), duration.subsec_nanos()).into(),
        Value::List(items) => serde_json::Value::Array(items.iter().map(to_json).collect::<Result<_, _>>()?),
        Value::Map(map) => {
            let mut entries: Vec<_> = map
                .map
                .iter()
                .map(|(key, value)| Ok((key.to_string(), to_json(value)?)))
                .collect::<Result<_, &'static str>>()?;
            // The order of a hash map changes from run to run and would make texts unstable.
            entries.sort_by(|(left, _), (right, _)| left.cmp(right));
            serde_json::Value::Object(entries.into_iter().collect())
        }
        other => return Err(kind(other)),
    })
}

/// Seconds with as many decimals as needed and the unit, as Kubernetes writes durations of CEL.
fn duration_text(seconds: i64, nanos: i32) -> String {
    if nanos == 0 {
        return format!("{seconds}s");
    }
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    let decimals = format!("{:09}", nanos.unsigned_abs());
    format!("{sign}{}.{}s", seconds.unsigned_abs(), decimals.trim_end_matches('0'))
}

/// What kind of value this is, in words for people.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::List(_) => "a list",
        Value::Map(_) => "a mapping",
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => "a number",
        Value::String(_) => "a string",
        Value::Bytes(_) => "a byte string",
        Value::Bool(_) => "a boolean",
        Value::Duration(_) => "a duration",
        Value::Timestamp(_) => "a timestamp",
        Value::Null => "null",
        Value::Function(..) => "a function",
        Value::Opaque(_) => "a value of a Kubernetes library",
    }
}
