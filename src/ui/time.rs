//! Ages as kubectl writes them.

use jiff::Timestamp;

/// How long ago `at` (RFC 3339) was: `42s`, `4m`, `3h12m`, `12d` (kubectl's `duration.HumanDuration`, with fewer steps).
pub fn age(at: &str, now: Timestamp) -> String {
    let Ok(then) = at.parse::<Timestamp>() else { return "<unknown>".into() };
    let seconds = (now.as_second() - then.as_second()).max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 if seconds % 60 != 0 => format!("{minutes}m{}s", seconds % 60),
        120..10_800 => format!("{minutes}m"),
        10_800..28_800 if minutes % 60 != 0 => format!("{hours}h{}m", minutes % 60),
        10_800..172_800 => format!("{hours}h"),
        172_800..691_200 if hours % 24 != 0 => format!("{days}d{}h", hours % 24),
        172_800..63_072_000 => format!("{days}d"),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_as_kubectls() {
        let now: Timestamp = "2026-01-10T00:00:00Z".parse().expect("a time");
        for (at, text) in [
            ("2026-01-09T23:59:18Z", "42s"),
            ("2026-01-09T23:55:30Z", "4m30s"),
            ("2026-01-09T23:40:00Z", "20m"),
            ("2026-01-09T20:48:00Z", "3h12m"),
            ("2026-01-08T00:00:00Z", "2d"),
            ("2025-12-29T00:00:00Z", "12d"),
            ("2020-01-10T00:00:00Z", "6y"),
            ("2026-01-11T00:00:00Z", "0s"),
            ("yesterday", "<unknown>"),
        ] {
            assert_eq!(age(at, now), text);
        }
    }
}
