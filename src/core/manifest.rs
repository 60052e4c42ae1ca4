//! stand-in
use super::patch::Patch;
use crate::error::{Error, Result};
use serde::Deserialize as _;
use serde_json::Value;
pub struct Held { pub value: Value, pub line: usize, pub problem: Option<Error> }
pub struct Edited { pub text: String, pub values: Option<String> }
pub struct Manifest { text: String, held: Vec<Held>, rules: Vec<Value> }
impl Manifest {
    pub fn read(text: &str, _values: Option<&str>) -> Result<Manifest> {
        let mut held = Vec::new(); let mut rules = Vec::new();
        let mut line = 1;
        for part in text.split("---\n") {
            for d in serde_yaml::Deserializer::from_str(part) {
                let v = Value::deserialize(d).map_err(|e| Error::usage(e.to_string()))?;
                if v["kind"] == "VirtualService" { held.push(Held { value: v, line, problem: None }) } else if v["kind"] == "DestinationRule" { rules.push(v) }
            }
            line += part.matches('\n').count() + 1;
        }
        Ok(Manifest { text: text.into(), held, rules })
    }
    pub fn may_hold(text: &str) -> bool { text.contains("VirtualService") }
    pub fn virtual_services(&self) -> &[Held] { &self.held }
    pub fn destination_rules(&self) -> &[Value] { &self.rules }
    pub fn edited(&self, edits: &[(usize, &Patch)]) -> Result<Edited> {
        let mut text = self.text.clone();
        for (index, patch) in edits {
            let mut parts: Vec<String> = text.split("---\n").map(str::to_owned).collect();
            let mut n = 0;
            for part in &mut parts {
                if !part.contains("kind: VirtualService") { continue; }
                if n == *index {
                    let old = &self.held[*index].value;
                    let new = patch.applied(old).ok_or_else(|| Error::failed("no place"))?;
                    let mut weights = Vec::new();
                    let mut collect = |v: &Value| { let mut w = Vec::new(); for r in v["spec"]["http"].as_array().into_iter().flatten() { for t in r["route"].as_array().into_iter().flatten() { w.push(t["weight"].clone()); } } weights.push(w); };
                    collect(old); collect(&new);
                    let mut i = 0;
                    let lines: Vec<String> = part.split('\n').map(|l| { if let Some(at) = l.find("weight: ") { let w = &weights[1][i]; i += 1; let rest = &l[at + 8..]; let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()); format!("{}weight: {w}{}", &l[..at], &rest[end..]) } else { l.to_owned() } }).collect();
                    *part = lines.join("\n");
                }
                n += 1;
            }
            text = parts.join("---\n");
        }
        Ok(Edited { text, values: None })
    }
}
