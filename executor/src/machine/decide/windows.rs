//! What windows and freezes say about an instant: what forecasts are made of, in the words of a run.

use jiff::Timestamp;
use switchback_model::windows::Windows;
use switchback_schemas::{
    Seconds,
    plan::{Window, WindowUse},
};

/// What the windows of one use say about an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is inside one, until then.
    Open {
        /// The window.
        window: String,
        /// Its end.
        until: Timestamp,
    },
    /// There are none of this use, so any instant will do.
    Always,
    /// A freeze is on, until then.
    Frozen {
        /// The freeze.
        window: String,
        /// Its end.
        until: Timestamp,
    },
    /// It is outside, or what has to fit does not; the next one that fits begins then.
    Closed {
        /// The window.
        window: String,
        /// Its beginning.
        opens: Timestamp,
    },
    /// There is none that could ever fit.
    Never,
    /// A window's zone is not known.
    Unreadable(String),
}

/// Whether `now` is inside a window of this use that has `needed` left. Of several that are open the one that ends last
/// counts. Forward, no freeze may be on; the use [`WindowUse::Freeze`] asks for that alone.
pub fn answer(windows: &[Window], used_for: WindowUse, needed: Seconds, now: Timestamp) -> Answer {
    let of_use = match used_for {
        WindowUse::Forward => Windows::forward(windows),
        WindowUse::Rollback => Windows::back(windows),
        WindowUse::Freeze => Windows::freezes(windows),
    };
    let of_use = match of_use {
        Ok(of_use) => of_use,
        Err(error) => return Answer::Unreadable(error.to_string()),
    };
    if let Some((until, freeze)) = of_use.frozen_until(now) {
        return Answer::Frozen { window: freeze.name.to_string(), until };
    }
    let Some(room) = of_use.first(now, needed) else { return Answer::Never };
    let Some(window) = room.window.map(|window| window.name.to_string()) else { return Answer::Always };
    if room.begins <= now {
        Answer::Open { window, until: room.until }
    } else {
        Answer::Closed { window, opens: room.begins }
    }
}

#[cfg(test)]
mod tests {
    use switchback_schemas::{name::Label, plan::Day};

    use super::*;

    fn window(start: (i8, i8), length: u64, days: &[Day]) -> Window {
        Window {
            name: Label::new("w").unwrap(),
            used_for: WindowUse::Forward,
            zone: "Europe/Berlin".to_owned(),
            days: days.to_vec(),
            start: jiff::civil::time(start.0, start.1, 0, 0),
            length: Seconds(length),
        }
    }

    fn ask(window: &Window, now: &str, needed: u64) -> Answer {
        answer(std::slice::from_ref(window), WindowUse::Forward, Seconds(needed), now.parse().unwrap())
    }

    fn opens(answer: Answer) -> String {
        match answer {
            Answer::Closed { opens, .. } => opens.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_start_that_the_zone_skips_moves_to_when_the_clock_has_jumped() {
        // On 2027-03-28 Berlin goes from 02:00 to 03:00.
        let nightly = window((2, 30), 3600, &[]);
        assert_eq!(opens(ask(&nightly, "2027-03-28T00:30:00Z", 0)), "2027-03-28T01:00:00Z");
    }

    #[test]
    fn a_doubled_hour_counts_once() {
        // On 2027-10-31 Berlin has 02:00 to 03:00 twice: 00:00Z to 01:00Z, and again to 02:00Z.
        let nightly = window((2, 30), 3600, &[]);
        assert!(matches!(ask(&nightly, "2027-10-31T00:45:00Z", 0), Answer::Open { .. }));
        assert_eq!(opens(ask(&nightly, "2027-10-31T01:45:00Z", 0)), "2027-11-01T01:30:00Z");
    }

    #[test]
    fn what_does_not_fit_waits_for_the_next_one() {
        let weekend = window((2, 0), 4 * 3600, &[Day::Sat]);
        assert!(matches!(ask(&weekend, "2026-11-21T01:00:00Z", 3600), Answer::Open { .. }));
        assert_eq!(opens(ask(&weekend, "2026-11-21T04:30:00Z", 3600)), "2026-11-28T01:00:00Z");
        assert_eq!(ask(&weekend, "2026-11-21T01:00:00Z", 5 * 3600), Answer::Never);
    }

    #[test]
    fn a_window_over_midnight_stays_open() {
        let late = window((23, 0), 3 * 3600, &[Day::Fri]);
        assert!(matches!(ask(&late, "2026-11-21T00:30:00Z", 0), Answer::Open { .. }));
    }

    #[test]
    fn an_unknown_zone_is_not_a_closed_window() {
        let mut odd = window((2, 0), 3600, &[]);
        odd.zone = "Mars/Olympus".to_owned();
        assert!(matches!(ask(&odd, "2026-11-21T00:30:00Z", 0), Answer::Unreadable(_)));
    }
}
