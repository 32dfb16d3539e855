//! Schedules as cron writes them, in UTC: minutes and hours by number, `*` or `*/N`; days and months are `*`.

use jiff::Timestamp;

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTE;

/// When something runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Schedule {
    minutes: Vec<i64>,
    hours: Vec<i64>,
}

impl Schedule {
    /// Reads a schedule; `None` for one that the twin does not play.
    pub(super) fn read(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, "*", "*", "*"] = fields[..] else { return None };
        Some(Self { minutes: field(minutes, 60)?, hours: field(hours, 24)? })
    }

    /// The first time after an instant.
    pub(super) fn after(&self, instant: Timestamp) -> Option<Timestamp> {
        let minute = instant.as_second().div_euclid(MINUTE) + 1;
        let times = (minute..=minute + DAY / MINUTE).find(|minute| self.holds(*minute))?;
        Timestamp::from_second(times * MINUTE).ok()
    }

    /// The last time after an instant and not after another.
    pub(super) fn last(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let (first, last) = (after.as_second().div_euclid(MINUTE) + 1, until.as_second().div_euclid(MINUTE));
        let first = first.max(last - DAY / MINUTE);
        let minute = (first..=last).rev().find(|minute| self.holds(*minute))?;
        Timestamp::from_second(minute * MINUTE).ok()
    }

    fn holds(&self, minute: i64) -> bool {
        let (minute, hour) = (minute.rem_euclid(60), minute.div_euclid(60).rem_euclid(24));
        self.minutes.contains(&minute) && self.hours.contains(&hour)
    }
}

fn field(text: &str, below: i64) -> Option<Vec<i64>> {
    let step = match text.strip_prefix("*/") {
        Some(step) => step.parse().ok().filter(|step| *step > 0)?,
        None if text == "*" => 1,
        None => return text.parse().ok().filter(|value| (0..below).contains(value)).map(|value| vec![value]),
    };
    Some((0..below).filter(|value| value % step == 0).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_next_and_the_last_time_are_found() {
        let nightly = Schedule::read("30 2 * * *").unwrap();
        assert_eq!(nightly.after(at("2026-11-20T10:00:00Z")), Some(at("2026-11-21T02:30:00Z")));
        assert_eq!(nightly.after(at("2026-11-21T02:30:00Z")), Some(at("2026-11-22T02:30:00Z")));
        let often = Schedule::read("*/15 * * * *").unwrap();
        assert_eq!(often.after(at("2026-11-20T10:59:30Z")), Some(at("2026-11-20T11:00:00Z")));
        let (from, to) = (at("2026-11-20T10:00:00Z"), at("2026-11-20T10:50:00Z"));
        assert_eq!(often.last(from, to), Some(at("2026-11-20T10:45:00Z")));
        assert_eq!(often.last(from, at("2026-11-20T10:14:59Z")), None);
    }

    #[test]
    fn what_is_not_played_is_not_read() {
        for text in ["0 2 * * 1", "60 * * * *", "*/0 * * * *", "1-5 * * * *", "@daily"] {
            assert_eq!(Schedule::read(text), None, "{text}");
        }
    }
}
