//! `sli.yaml`: the queries behind the indicators of an SLO.
//!
//! A text is a query to Prometheus, or to Dynatrace where it has its form or nobody else is asked. A map, which keptn did
//! not know, names the source: see [`Query`].

use super::dynatrace::{Dynatrace, Indicator};
use super::placeholders::Context;
use super::query::Query;
use super::slo::Slo;
use crate::core::lint::{self, Finding, Findings, Options, join};
use crate::core::suggest;
use crate::core::yaml;
use crate::error::{Error, Result};
use serde_json::Value;

/// A query as written.
#[derive(Clone, Debug, PartialEq)]
enum Written {
    /// Whoever is asked.
    Text(String),
    /// With its source.
    Query(Query),
}

/// The queries by indicator, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sli {
    indicators: Vec<(String, Written)>,
}

impl Sli {
    /// Reads an SLI file. `file` is what errors call it.
    ///
    /// # Errors
    /// `Usage`, with file, line and caret.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let (sli, findings) = read(text);
        let findings = findings.located(text);
        match lint::refuse(file, text, &findings) {
            Some(error) => Err(error),
            None => Ok(sli),
        }
    }

    /// All that is wrong, or surely not meant, in an SLI file.
    pub fn lint(text: &str, options: Options) -> Vec<Finding> {
        let (sli, mut found) = read(text);
        found.options = options;
        for (name, query) in &sli.indicators {
            let at = join("/indicators", name);
            match query {
                Written::Text(text) if !Indicator::is_meant(text) => found.promql(&at, text),
                Written::Query(Query::Prometheus(query)) => found.promql(&join(&at, "prometheus"), query),
                _ => {}
            }
        }
        found.located(text)
    }

    /// The names of the indicators.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.indicators.iter().map(|(name, _)| name.as_str())
    }

    /// Adds the queries of a more special file (project, then stage, then service): they take precedence.
    pub fn extend(&mut self, special: Sli) {
        for (name, query) in special.indicators {
            match self.indicators.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = query,
                None => self.indicators.push((name, query)),
            }
        }
    }

    /// The queries for the indicators of `slo`, with their placeholders replaced, each once. Texts of no form of its own go
    /// to Dynatrace where it is the only one asked.
    ///
    /// # Errors
    /// `Usage` for an indicator without a query or with one that cannot be asked, and for a placeholder that stands for
    /// nothing.
    pub fn queries(&self, slo: &Slo, context: &Context, dynatrace: bool) -> Result<Vec<(String, Query)>> {
        let context = Context { filters: slo.filter.clone(), ..context.clone() };
        let mut queries: Vec<(String, Query)> = Vec::new();
        for name in slo.objectives.iter().map(|objective| &objective.sli) {
            if queries.iter().all(|(known, _)| known != name) {
                let query = match self.written(name)? {
                    Written::Query(query) => query.clone(),
                    Written::Text(text) if dynatrace || Indicator::is_meant(text) => {
                        let refused = |why: String| Error::usage(format!("indicator `{name}`: {why}"));
                        Query::Dynatrace(Dynatrace::Indicator(Indicator::read(text).map_err(refused)?))
                    }
                    Written::Text(text) => Query::Prometheus(text.clone()),
                };
                queries.push((name.clone(), query.resolve(&context)?));
            }
        }
        Ok(queries)
    }

    fn written(&self, name: &str) -> Result<&Written> {
        let found = self.indicators.iter().find(|(known, _)| known == name);
        found.map(|(_, query)| query).ok_or_else(|| {
            let error = Error::usage(format!("no query for the indicator `{name}`"));
            match suggest::nearest(name, self.indicators.iter().map(|(name, _)| name.as_str())) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint("name a file that has it: `--sli sli.yaml`"),
            }
        })
    }
}

fn read(text: &str) -> (Sli, Findings) {
    let mut found = Findings::default();
    let mut sli = Sli::default();
    let Some(root) = yaml::read(text, &mut found) else { return (sli, found) };
    found.keys_or_notes("", &root, &["spec_version", "indicators"]);
    let Some(indicators) = root.get("indicators").and_then(|indicators| indicators.as_object()) else {
        found.error("/indicators", "`indicators` maps names to queries");
        return (sli, found);
    };
    for (name, query) in indicators {
        let at = join("/indicators", name);
        let read = match query {
            Value::Object(map) => Query::read(&at, map, &mut found).map(Written::Query),
            _ => {
                let text = yaml::scalar(query).filter(|query| !query.trim().is_empty());
                if text.is_none() {
                    found.error(at, format!("`{name}` has no query"));
                }
                text.map(Written::Text)
            }
        };
        sli.indicators.extend(read.map(|query| (name.clone(), query)));
    }
    (sli, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_special_file_takes_precedence() {
        let parse = |text: &str| Sli::parse("sli.yaml", text).expect("SLIs");
        let mut sli = parse("spec_version: '1.0'\nindicators:\n  a: qa{h='$handler'}\n  b: qb\n");
        sli.extend(parse("indicators: {b: \"qb[$DURATION_SECONDS]\", c: qc}"));
        let slo = "filter: {handler: \"'Items'\"}\nobjectives: [{sli: b}, {sli: a}, {sli: a}]\n";
        let slo = Slo::parse("slo.yaml", slo).expect("an SLO");
        let context = Context { seconds: Some(59.1), ..Context::default() };
        let pair = |a: &str, b: &str| (a.to_owned(), Query::Prometheus(b.to_owned()));
        assert_eq!(sli.queries(&slo, &context, false), Ok(vec![pair("b", "qb[60s]"), pair("a", "qa{h='Items'}")]));
        assert_eq!(sli.written("cc").map_err(|error| error.message), Err("no query for the indicator `cc`".into()));
    }

    #[test]
    fn queries_that_do_not_parse_are_found() {
        let text = "indicators:\n  ok: sum(rate(x{job='$SERVICE'}[$DURATION_SECONDS]))\n  bad: \"rate(x{job=\\\"a\\\"}[5m)\"\n  dt: metricSelector=builtin:x&entitySelector=type(SERVICE)\n  short: rate(x[20s])\n";
        let found = Sli::lint(text, Options::default());
        let told: Vec<String> =
            found.iter().map(|one| one.render("sli.yaml", text).lines().next().unwrap_or_default().to_owned()).collect();
        assert_eq!(
            told,
            [
                "sli.yaml:3:29: error: this is not PromQL: `)` stands where `]` is due",
                "sli.yaml:5:16: warning: a window of 20 s has room for fewer than two scrapes, one every 15 s: no rate can be told",
            ]
        );
        assert_eq!(Sli::lint(text, Options { scrape_interval: 5.0 }).len(), 1);
    }

    #[test]
    fn what_has_not_the_form_is_refused() {
        for (text, says) in [
            ("indicators: [a]", "maps names to queries"),
            ("indicators:\n  a:\n", "sli.yaml:2:3: `a` has no query"),
            ("indicator: {}", "did you mean `indicators`?"),
            ("indicators: {a: {webb: x}}", "did you mean `web`?"),
            ("indicators: {a: {web: {url: x, jsonpath: y}}}", "did you mean `jsonPath`?"),
            ("indicators: {a: {web: {url: x, jsonPath: '$.['}}}", "is not a path"),
            ("indicators: {a: {dynatrace: 'SLO;/'}}", "not the id"),
            ("indicators: {a: {command: 'rm -r'}}", "a command is a list"),
        ] {
            let error = Sli::parse("sli.yaml", text).expect_err(says);
            assert!(error.message.contains(says), "{}", error.message);
        }
    }
}
