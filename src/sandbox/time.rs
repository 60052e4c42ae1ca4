//! Time stamps as objects carry them, and ages as people read them.

use jiff::Timestamp;

/// The present second, as in `creationTimestamp`.
pub fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// How long ago a time stamp was, as kubectl shows ages; `<unknown>` for what is no time stamp.
pub fn age(stamp: &str) -> String {
    match stamp.parse::<Timestamp>() {
        Ok(then) => human(Timestamp::now().as_second() - then.as_second()),
        Err(_) => "<unknown>".to_owned(),
    }
}

/// The time from one stamp to another, likewise.
pub fn between(from: &str, to: &str) -> String {
    match (from.parse::<Timestamp>(), to.parse::<Timestamp>()) {
        (Ok(from), Ok(to)) => human(to.as_second() - from.as_second()),
        _ => "<unknown>".to_owned(),
    }
}

/// Two units at most, the second one only while it matters.
fn human(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let years = days / 365;
    let two = |big: i64, unit: char, small: i64, sub: char| match small {
        0 => format!("{big}{unit}"),
        small => format!("{big}{unit}{small}{sub}"),
    };
    match () {
        () if seconds < 0 => "0s".to_owned(),
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => two(minutes, 'm', seconds % 60, 's'),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => two(hours, 'h', minutes % 60, 'm'),
        () if hours < 48 => format!("{hours}h"),
        () if days < 8 => two(days, 'd', hours % 24, 'h'),
        () if years < 2 => format!("{days}d"),
        () if years < 8 => two(years, 'y', days % 365, 'd'),
        () => format!("{years}y"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_as_kubectls() {
        let hour = 3600;
        for (seconds, text) in [
            (-1, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (600, "10m"),
            (3 * hour, "3h"),
            (3 * hour + 60, "3h1m"),
            (47 * hour, "47h"),
            (49 * hour, "2d1h"),
            (30 * 24 * hour, "30d"),
        ] {
            assert_eq!(human(seconds), text);
        }
    }
}
