//! Holds answers against the API's description: the path, the status, each member.

use super::client::Answer;
use serde_json::Value;
use std::sync::OnceLock;

fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| serde_json::from_str(include_str!("../../../../server/src/http/openapi.json")).expect("it is JSON"))
}

/// # Panics
/// If the answer is not one that is described.
pub fn check(method: &str, path: &str, answer: &Answer) {
    let path = path.split('?').next().unwrap_or_default();
    let paths = document()["paths"].as_object().expect("paths");
    let exact = paths.get(path);
    let found = exact.or_else(|| paths.iter().find(|(template, _)| fits(template, path)).map(|(_, methods)| methods));
    let Some(operation) = found.and_then(|methods| methods.get(method.to_lowercase())) else {
        assert!([401, 404, 405].contains(&answer.status), "{method} {path} is not described and answers {}", answer.status);
        return check_problem(answer);
    };
    let described = resolved(&operation["responses"][answer.status.to_string()]);
    assert!(described.is_object(), "{method} {path} answers {}, which is not described: {}", answer.status, answer.text);
    let kind = if answer.status == 200 { "application/json" } else { "application/problem+json" };
    assert!(answer.head.contains(&format!("Content-Type: {kind}\r\n")), "{}", answer.head);
    for name in described["headers"].as_object().into_iter().flat_map(|headers| headers.keys()) {
        assert!(answer.head.contains(&format!("\r\n{name}: ")), "{name} is missing in {}", answer.head);
    }
    let wrong = violation(&described["content"][kind]["schema"], &answer.json(), "");
    assert_eq!(wrong, None, "{method} {path}: {}", answer.text);
}

fn check_problem(answer: &Answer) {
    let problem = answer.json();
    assert_eq!(violation(&document()["components"]["schemas"]["Problem"], &problem, ""), None, "{}", answer.text);
    assert_eq!(problem["status"], answer.status);
}

fn fits(template: &str, path: &str) -> bool {
    template.split('/').count() == path.split('/').count()
        && template.split('/').zip(path.split('/')).all(|(wanted, given)| wanted == given || wanted == "{id}")
}

fn resolved(value: &Value) -> &Value {
    match value["$ref"].as_str() {
        Some(reference) => document().pointer(reference.trim_start_matches('#')).expect("what is referred to is there"),
        None => value,
    }
}

/// What of a value its schema does not allow: as much of JSON Schema as the description uses.
fn violation(schema: &Value, value: &Value, at: &str) -> Option<String> {
    let schema = resolved(schema);
    if let Some(variants) = schema["oneOf"].as_array() {
        let fitting = variants.iter().filter(|variant| violation(variant, value, at).is_none()).count();
        return (fitting != 1).then(|| format!("{at} fits {fitting} of {} forms", variants.len()));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        return Some(format!("{at} is {value}"));
    }
    let is_right = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("boolean") => value.is_boolean(),
        _ => true,
    };
    if !is_right || schema.get("const").is_some_and(|only| only != value) {
        return Some(format!("{at} is {value}"));
    }
    let missing = schema["required"].as_array().into_iter().flatten().find(|name| value.get(name.as_str().unwrap_or_default()).is_none());
    if let Some(missing) = missing {
        return Some(format!("{at} has no {missing}"));
    }
    let members = value.as_object().into_iter().flatten().find_map(|(name, member)| match schema["properties"].get(name) {
        Some(schema) => violation(schema, member, &format!("{at}/{name}")),
        None => (schema["additionalProperties"] == false).then(|| format!("{at} has {name}")),
    });
    members.or_else(|| value.as_array().into_iter().flatten().find_map(|item| violation(schema.get("items")?, item, &format!("{at}[]"))))
}
