//! Command lines of keptn that have no meaning here: what to use instead.
//!
//! Its lines for projects, services and artifacts are taken as they are. A script of that time has others before them and
//! behind them, which should not end in a guess at a typing error.

use crate::error::Error;
use std::ffi::OsString;

/// The first words of a command line, why it is refused, and what to do instead.
type Line = (&'static [&'static str], &'static str, &'static str);

const LEAVE_OUT: &str = "leave the line out; `tidegate create project NAME --shipyard FILE` begins";
const ROUTES: &str = "`tidegate status -n NAMESPACE` and `tidegate get runs --project NAME` show what is there";
const EVALUATE: &str = "grade it: `tidegate evaluate --gate FILE --project NAME --stage NAME --timeframe 5m`";
const BY_SERVICE: &str = "the service names its delivery: `tidegate get runs --project NAME` lists them";
const SECRETS: &str = "make it with `kubectl create secret`";

const LINES: [Line; 19] = [
    (&["install"], "there is nothing to install: the cluster gets no server", LEAVE_OUT),
    (&["uninstall"], "there is nothing to uninstall", "a project goes with `tidegate delete project NAME`"),
    (&["auth"], "there is nothing to log in to: the kubeconfig says which cluster, and as whom", LEAVE_OUT),
    (&["set", "config"], "there is no stored configuration of that kind", "`tidegate help environment` lists what can be set"),
    (&["generate"], "nothing is generated", "man pages and completions are in the release; `tidegate help` has the rest"),
    (
        &["configure", "domain"],
        "there is no domain for all projects: the address of the ingress gateway is found",
        "name another one with the service: `tidegate onboard service NAME --project NAME --image IMAGE --domain DOMAIN`",
    ),
    (&["configure", "bridge"], "there is no bridge", ROUTES),
    (
        &["create", "service"],
        "a service without objects is none",
        "`tidegate onboard service NAME --project NAME --image IMAGE` makes them",
    ),
    (&["create", "secret"], "secrets are Kubernetes' own", SECRETS),
    (&["update", "secret"], "secrets are Kubernetes' own", SECRETS),
    (&["delete", "secret"], "secrets are Kubernetes' own", "delete it with `kubectl delete secret`"),
    (
        &["delete", "service"],
        "services are not deleted one by one",
        "its objects in a stage carry a label: `kubectl delete deployments,services,virtualservices,destinationrules -n NAMESPACE -l tidegate/service=NAME`",
    ),
    (&["update", "project"], "a project follows its shipyard", "give it anew: `tidegate create project NAME --shipyard FILE`"),
    (&["send", "event", "start-evaluation"], "no service waits for this event", EVALUATE),
    (&["trigger", "evaluation"], "no service waits for this event", EVALUATE),
    (
        &["trigger", "sequence"],
        "the one sequence is a delivery",
        "`tidegate send new-artifact --project NAME --service NAME --image IMAGE` begins one",
    ),
    (&["abort", "sequence"], "a delivery has no sequences", "end it with `tidegate abort SERVICE --project NAME`"),
    (&["resume", "sequence"], "a delivery has no sequences", "go on with `tidegate resume SERVICE --project NAME`"),
    (&["pause", "sequence"], "a delivery is not paused: its state outlives its process", BY_SERVICE),
];

/// What to say of a command line that the parser refused, where it is one of keptn's. The program's name comes first.
pub fn explained(arguments: &[OsString]) -> Option<Error> {
    let words: Vec<&str> = arguments.iter().skip(1).filter_map(|word| word.to_str()).collect();
    if words.contains(&"--mock") {
        return Some(
            Error::usage("there is no `--mock`")
                .hint("what would be done shows `--dry-run`, which every command that writes has"),
        );
    }
    let named: Vec<&str> = words.iter().copied().filter(|word| !word.starts_with('-')).collect();
    let found = LINES.iter().find(|(begin, ..)| named.starts_with(begin));
    if let Some((begin, why, instead)) = found {
        return Some(Error::usage(format!("`{}` has no meaning here: {why}", begin.join(" "))).hint(*instead));
    }
    // keptn 0.4: `configure --org=… --user=… --token=…`, and nothing behind it.
    let github = named == ["configure"] && words.iter().any(|word| word.starts_with("--org") || *word == "-o");
    github.then(|| {
        Error::usage("`configure --org` has no meaning here: a project needs no Git repository")
            .hint("leave the line out; the objects for a repository of your own are printed by `tidegate onboard service NAME --project NAME --image IMAGE -o yaml`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn said(line: &str) -> Option<Error> {
        explained(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_recommended_can_be_typed() {
        let texts = LINES.iter().flat_map(|(_, _, instead)| instead.split('`').skip(1).step_by(2));
        let mut tried = 0;
        for command in texts.filter(|text| text.starts_with("tidegate ")) {
            let parsed = crate::cli::Cli::command().try_get_matches_from(command.split_whitespace());
            assert!(parsed.is_ok(), "{command}");
            tried += 1;
        }
        assert!(tried > 10, "{tried}");
    }

    #[test]
    fn only_lines_of_keptn_are_explained() {
        for line in ["keptn auth --endpoint=x", "keptn -v install -c creds.json", "keptn configure --org=a --user=b"] {
            assert!(said(line).is_some(), "{line}");
        }
        for line in ["tidegate shift carts", "tidegate configure", "tidegate creat project", "tidegate"] {
            assert_eq!(said(line), None, "{line}");
        }
    }
}
