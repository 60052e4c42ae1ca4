use super::*;
use crate::core::gate::evaluation::Answer;

const CONFIG: &str = include_str!("../../../../fixtures/gates/canary-config.json");

const CONTROL: [f64; 10] = [10.0, 11.0, 9.0, 10.0, 12.0, 10.0, 11.0, 9.0, 10.0, 11.0];

fn graded(text: &str, sides: &[(&str, [f64; 10], f64)]) -> Evaluation {
    let answer =
        |(id, control, times): &(&str, [f64; 10], f64)| Answer::new(*id, samples(control, &control.map(|value| value * times)));
    let config = Kayenta::parse("config.json", text).unwrap_or_else(|error| panic!("{error}"));
    config.grade(Evidence { answers: sides.iter().map(answer).collect(), ..Evidence::default() })
}

#[test]
fn the_configuration_says_how_it_is_judged() {
    let fine = [("latency", CONTROL, 1.0), ("errors", CONTROL, 1.0)];
    let result = graded(CONFIG, &fine);
    assert_eq!((result.verdict, result.score, result.reason.as_str()), (Verdict::Pass, 100.0, "score 100 reaches 95"));
    // 40 % of the weight is lost.
    let slow = graded(CONFIG, &[("latency", CONTROL, 2.0), ("errors", CONTROL, 1.0)]);
    assert_eq!((slow.verdict, slow.score, slow.indicators[0].status), (Verdict::Fail, 60.0, Status::Fail));
    assert_eq!(slow.indicators[0].values[0].number(), Some(20.6));
    let marginal = graded(&CONFIG.replace("\"marginal\": 75", "\"marginal\": 50"), &[("latency", CONTROL, 2.0), fine[1]]);
    assert_eq!(marginal.verdict, Verdict::Warning);
    let critical = graded(CONFIG, &[fine[0], ("errors", CONTROL, 2.0)]);
    assert_eq!((critical.verdict, critical.score, critical.indicators[1].key), (Verdict::Fail, 0.0, true));
    // An increase is bad, a decrease is not.
    assert_eq!(graded(CONFIG, &[("latency", CONTROL, 0.5), fine[1]]).verdict, Verdict::Pass);
    for result in [result, slow, critical] {
        let json = serde_json::to_string(&result).expect("JSON");
        assert_eq!(crate::core::gate::regrade("evidence.json", &json), Ok(result));
    }
}

#[test]
fn the_order_of_the_values_says_nothing() {
    let (slow, fine) = (("latency", CONTROL, 2.0), ("errors", CONTROL, 1.0));
    let (one, other) = (graded(CONFIG, &[slow, fine]), graded(CONFIG, &[fine, slow]));
    assert_eq!((one.indicators, one.reason), (other.indicators, other.reason));
}

#[test]
fn what_was_not_measured_does_not_pass() {
    let config = CONFIG.replace("\"latency\"],", "\"errors\"],");
    let three = config.replace("\"nanStrategy\": \"replace\", ", "");
    assert_eq!(graded(&three, &[]).verdict, Verdict::Fail, "missing data of a critical metric fail");
    let mild = three.replace("\"critical\": true", "\"critical\": false");
    assert_eq!(graded(&mild, &[]).verdict, Verdict::Inconclusive);
    assert_eq!(graded(&mild, &[("latency", CONTROL, 1.0), ("other", CONTROL, 1.0)]).verdict, Verdict::Fail, "half of all");
    let gaps = graded(&mild, &[("latency", CONTROL, 1.0), ("errors", [f64::NAN; 10], 1.0)]);
    assert_ne!(gaps.verdict, Verdict::Pass);
    assert_eq!(graded("{\"metrics\": [], \"classifier\": {}}", &[]).verdict, Verdict::Inconclusive);
    // What missing values mean is said; that nobody was asked is something else.
    let unasked = graded(CONFIG, &[("latency", CONTROL, 1.0)]);
    assert_eq!((unasked.verdict, unasked.reason.as_str()), (Verdict::Inconclusive, "score 100, without errors"));
}

#[test]
fn what_is_wrong_is_pointed_at() {
    let lint = |text: &str| -> Vec<String> {
        let found = Kayenta::lint(text, Options::default());
        found.iter().map(|one| one.render("c.json", text).lines().next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(lint(CONFIG), Vec::<String>::new());
    for (from, to, says) in [
        (
            "\"direction\": \"increase\", \"nanStrategy\": \"remove\"",
            "\"direction\": \"up\"",
            "error: `direction`: \"up\" is not known",
        ),
        ("\"critical\": false", "\"critcal\": false", "error: `critcal` is not known"),
        ("\"classifier\"", "\"clasifier\"", "error: unknown key `clasifier`; did you mean `classifier`?"),
        ("\"errors\": 60", "\"errors\": 50", "the weights sum to 90"),
        ("\"errors\": 60", "\"error\": 60", "no metric is in the group `error`"),
        ("\"marginal\": 75", "\"marginal\": 0", "nothing can fail this gate"),
        ("\"marginal\": 75", "\"marginal\": 97", "no score is marginal"),
        ("[\"latency\"]", "[]", "it counts for nothing"),
        ("NetflixACAJudge-v1.0", "dredd-v1.0", "note: the judge `dredd-v1.0` is not here"),
        ("\"name\": \"errors\"", "\"name\": \"latency\"", "the name of two metrics"),
        ("[1m])) / sum", "[1m)) / sum", "c.json:12:103: error: this is not PromQL"),
        ("[1m])) / sum", "[10s])) / sum", "warning: a window of 10 s"),
    ] {
        assert!(CONFIG.contains(from), "{from}");
        let told = lint(&CONFIG.replacen(from, to, 1));
        assert!(told.iter().any(|one| one.contains(says)), "{says}\n{told:#?}");
    }
}
