//! Windows and freezes in civil time.
//!
//! A window begins at a time of day in its zone. Where the zone skips that time, it begins when the clock has jumped; where
//! the zone has it twice, it begins at the first. Its length is real time, so a doubled hour inside of it counts once.

use jiff::{
    SignedDuration, Span, Timestamp,
    civil::{Date, Weekday},
    tz::TimeZone,
};
use switchback_schemas::{
    Seconds,
    plan::{Day, Window, WindowUse},
};

/// Days that are looked at before and after an instant.
const AROUND: i32 = 400;
/// Windows over which one step is spread at most.
const PARTS: usize = 400;

/// When something may begin, and until when it may go on there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room<'plan> {
    /// The first instant that will do.
    pub begins: Timestamp,
    /// The end of the window; the end of time without one.
    pub until: Timestamp,
    /// The window, if it has to be in one.
    pub window: Option<&'plan Window>,
}

/// Work that may rest between its parts: a roll and its batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// How long all of them take.
    pub whole: Seconds,
    /// How long one of them takes, with the rest after it.
    pub each: Seconds,
    /// What has to fit into the window in which one begins.
    pub least: Seconds,
}

/// The windows of a plan, for one direction.
#[derive(Clone, Debug)]
pub struct Windows<'plan> {
    open: Vec<(&'plan Window, TimeZone)>,
    frozen: Vec<(&'plan Window, TimeZone)>,
}

/// A window whose zone is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("window {name} has an unknown zone {zone:?}")]
pub struct UnknownZone {
    /// The window.
    pub name: String,
    /// The zone.
    pub zone: String,
}

impl<'plan> Windows<'plan> {
    /// Those for steps forward: inside of a forward window, outside of every freeze.
    pub fn forward(windows: &'plan [Window]) -> Result<Self, UnknownZone> {
        Ok(Self { open: of(windows, WindowUse::Forward)?, frozen: of(windows, WindowUse::Freeze)? })
    }

    /// Those for steps back: inside of a rollback window, whatever is frozen.
    pub fn back(windows: &'plan [Window]) -> Result<Self, UnknownZone> {
        Ok(Self { open: of(windows, WindowUse::Rollback)?, frozen: Vec::new() })
    }

    /// Those for steps forward that no window concerns: outside of every freeze.
    pub fn freezes(windows: &'plan [Window]) -> Result<Self, UnknownZone> {
        Ok(Self { open: Vec::new(), frozen: of(windows, WindowUse::Freeze)? })
    }

    /// The same with no window at all: at any time.
    pub fn always() -> Self {
        Self { open: Vec::new(), frozen: Vec::new() }
    }

    /// Whether any instant will do.
    pub fn is_always(&self) -> bool {
        self.open.is_empty() && self.frozen.is_empty()
    }

    /// The first room for something that takes so long and is not interrupted, from an instant on; `None` when there is none
    /// within a year.
    pub fn first(&self, from: Timestamp, needed: Seconds) -> Option<Room<'plan>> {
        let mut at = from;
        // Each turn leaves a freeze or enters a window.
        for _ in 0..AROUND {
            let room = self.opening(at, needed)?;
            match self.frozen_until(room.begins) {
                None => return Some(room),
                Some((until, _)) => at = until,
            }
        }
        None
    }

    /// The end of something that may rest between its parts, each of which begins where there is room for it.
    pub fn spread(&self, from: Timestamp, parts: Parts) -> Option<Timestamp> {
        let (mut at, mut left) = (from, parts.whole);
        for _ in 0..PARTS {
            let room = self.first(at, parts.least)?;
            // A part begins while there is room for it, and not once a freeze is on.
            let last = earlier(room.until, parts.least);
            let last =
                self.freezes_at(room.begins).map_or(last, |frozen| last.min(earlier(frozen, Seconds(1))));
            if later(room.begins, minus(left, parts.each)) <= last {
                return Some(later(room.begins, left));
            }
            let each = parts.each.0.max(1);
            let done = Seconds((between(room.begins, last).0 / each).saturating_add(1).saturating_mul(each));
            left = minus(left, done);
            at = later(room.begins, done);
        }
        None
    }

    /// The latest instant at which something that takes so long, and is not interrupted, may begin so that it has begun by
    /// `by` and ends inside of its window.
    pub fn last(&self, by: Timestamp, needed: Seconds) -> Option<Timestamp> {
        if self.open.is_empty() {
            return Some(by);
        }
        let last = |window: &Window, zone: &TimeZone| {
            let days = (-AROUND..=1).rev();
            let mut fits = around(window, zone, by, days).filter_map(|(start, end)| {
                let latest = by.min(earlier(end, needed));
                (start <= latest).then_some(latest)
            });
            fits.next()
        };
        self.open.iter().filter_map(|(window, zone)| last(window, zone)).max()
    }

    /// The latest instant at which something that may pause between windows may begin, so that it has ended by `by`.
    pub fn last_spread(&self, by: Timestamp, least: Seconds, length: Seconds) -> Option<Timestamp> {
        if self.open.is_empty() {
            return Some(earlier(by, length));
        }
        let (mut by, mut left) = (by, length);
        for _ in 0..PARTS {
            // The last part ends with its window or with the day by which all has to be done.
            let (start, end) = self.before(by, least)?;
            let room = between(start, end);
            if room >= left {
                return Some(earlier(end, left.max(least)));
            }
            // Only whole parts: what begins too late in a window does not begin there.
            let part = least.0.max(1);
            left = minus(left, Seconds(room.0 / part * part));
            by = start;
        }
        None
    }

    /// The last stretch of a window that ends by an instant and has so much room.
    fn before(&self, by: Timestamp, least: Seconds) -> Option<(Timestamp, Timestamp)> {
        let stretch = |window: &Window, zone: &TimeZone| {
            let mut all = around(window, zone, by, (-AROUND..=1).rev());
            all.find_map(|(start, end)| {
                let end = end.min(by);
                (start < end && between(start, end) >= least).then_some((start, end))
            })
        };
        self.open.iter().filter_map(|(window, zone)| stretch(window, zone)).max_by_key(|(_, end)| *end)
    }

    fn opening(&self, from: Timestamp, needed: Seconds) -> Option<Room<'plan>> {
        if self.open.is_empty() {
            return Some(Room { begins: from, until: Timestamp::MAX, window: None });
        }
        let wide = self.open.iter().filter(|(window, _)| window.length >= needed);
        let fits = wide.filter_map(|(window, zone)| {
            occurrences(window, zone, from).find_map(|(start, until)| {
                let begins = start.max(from);
                let fits = begins < until && later(begins, needed) <= until;
                fits.then_some(Room { begins, until, window: Some(*window) })
            })
        });
        fits.min_by_key(|room| (room.begins, std::cmp::Reverse(room.until)))
    }

    /// Until when something is frozen at an instant, and by which freeze.
    pub fn frozen_until(&self, at: Timestamp) -> Option<(Timestamp, &'plan Window)> {
        let over = self.frozen.iter().filter_map(|(window, zone)| {
            let mut begun = occurrences(window, zone, at).take_while(|(start, _)| *start <= at);
            begun.find(|(_, end)| at < *end).map(|(_, end)| (end, *window))
        });
        over.max_by_key(|(end, _)| *end)
    }

    /// When the next freeze begins after an instant.
    fn freezes_at(&self, after: Timestamp) -> Option<Timestamp> {
        let next = self.frozen.iter().filter_map(|(window, zone)| {
            occurrences(window, zone, after).map(|(start, _)| start).find(|start| *start > after)
        });
        next.min()
    }
}

fn of(windows: &[Window], used_for: WindowUse) -> Result<Vec<(&Window, TimeZone)>, UnknownZone> {
    let own = windows.iter().filter(|window| window.used_for == used_for);
    own.map(|window| {
        let unknown = |_| UnknownZone { name: window.name.to_string(), zone: window.zone.clone() };
        Ok((window, TimeZone::get(&window.zone).map_err(unknown)?))
    })
    .collect()
}

/// So much later, or the end of time.
pub fn later(at: Timestamp, by: Seconds) -> Timestamp {
    let by = i64::try_from(by.0).unwrap_or(i64::MAX);
    at.checked_add(SignedDuration::from_secs(by)).unwrap_or(Timestamp::MAX)
}

/// So much earlier, or the beginning of time.
pub fn earlier(at: Timestamp, by: Seconds) -> Timestamp {
    let by = i64::try_from(by.0).unwrap_or(i64::MAX);
    at.checked_sub(SignedDuration::from_secs(by)).unwrap_or(Timestamp::MIN)
}

/// From one instant to a later one; nothing if it is not later.
pub fn between(one: Timestamp, other: Timestamp) -> Seconds {
    Seconds(u64::try_from(other.duration_since(one).as_secs()).unwrap_or(0))
}

fn minus(length: Seconds, by: Seconds) -> Seconds {
    Seconds(length.0.saturating_sub(by.0))
}

/// Beginnings and ends of a window in order, from the one that could still be open at an instant to those of the next year.
fn occurrences<'a>(
    window: &'a Window,
    zone: &'a TimeZone,
    at: Timestamp,
) -> impl Iterator<Item = (Timestamp, Timestamp)> + 'a {
    let before = i32::try_from(window.length.0 / 86_400).unwrap_or(AROUND).min(AROUND) + 1;
    around(window, zone, at, -before..AROUND)
}

/// Beginnings and ends of a window on some days around an instant, counted from its day in the window's zone.
fn around<'a>(
    window: &'a Window,
    zone: &'a TimeZone,
    at: Timestamp,
    days: impl Iterator<Item = i32> + 'a,
) -> impl Iterator<Item = (Timestamp, Timestamp)> + 'a {
    let today = at.to_zoned(zone.clone()).date();
    days.filter_map(move |days| {
        occurrence(window, zone, today.checked_add(Span::new().try_days(days).ok()?).ok()?)
    })
}

fn occurrence(window: &Window, zone: &TimeZone, date: Date) -> Option<(Timestamp, Timestamp)> {
    if !window.days.is_empty() && !window.days.iter().any(|day| weekday(*day) == date.weekday()) {
        return None;
    }
    let ambiguous = zone.to_ambiguous_zoned(date.to_datetime(window.start));
    let start = if matches!(ambiguous.offset(), jiff::tz::AmbiguousOffset::Gap { .. }) {
        let before = ambiguous.earlier().ok()?.timestamp();
        zone.following(before).next()?.timestamp()
    } else {
        ambiguous.earlier().ok()?.timestamp()
    };
    Some((start, later(start, window.length)))
}

fn weekday(day: Day) -> Weekday {
    match day {
        Day::Mon => Weekday::Monday,
        Day::Tue => Weekday::Tuesday,
        Day::Wed => Weekday::Wednesday,
        Day::Thu => Weekday::Thursday,
        Day::Fri => Weekday::Friday,
        Day::Sat => Weekday::Saturday,
        Day::Sun => Weekday::Sunday,
    }
}

#[cfg(test)]
mod tests {
    use switchback_schemas::name::Label;

    use super::*;

    /// Two and a half hours of each night, from 01:00Z in winter.
    fn nightly(used_for: WindowUse) -> Window {
        Window {
            name: Label::new("night").expect("a name"),
            used_for,
            zone: "Europe/Berlin".to_owned(),
            days: Vec::new(),
            start: jiff::civil::time(2, 0, 0, 0),
            length: Seconds(9_000),
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect(text)
    }

    #[test]
    fn batches_go_back_whole() {
        // Six of an hour, two a night: the 10th and the 9th from 01:00Z on, and the first two end with the window of the 8th.
        let nights = [nightly(WindowUse::Rollback)];
        let windows = Windows::back(&nights).expect("the zone is known");
        let back =
            |hours| windows.last_spread(at("2026-12-10T04:00:00Z"), Seconds(3_600), Seconds::hours(hours));
        assert_eq!(back(6), Some(at("2026-12-08T01:30:00Z")));
        // The last one needs its whole hour, wherever it begins.
        assert_eq!(back(5), Some(at("2026-12-08T02:30:00Z")));
        assert_eq!(
            windows.last_spread(at("2026-12-10T04:00:00Z"), Seconds::hours(3), Seconds::hours(6)),
            None
        );
    }

    #[test]
    fn batches_begin_where_there_is_room_for_a_whole_one() {
        // 40 minutes each, an hour nine times of ten: at 01:00Z, 01:40Z and 02:20Z of a night, and not at 03:00Z.
        let mut nights = vec![nightly(WindowUse::Forward)];
        let ends = |nights: &[Window], minutes| {
            let parts = Parts {
                whole: Seconds::minutes(minutes),
                each: Seconds::minutes(40),
                least: Seconds::minutes(60),
            };
            Windows::forward(nights).expect("the zone is known").spread(at("2026-12-07T12:00:00Z"), parts)
        };
        assert_eq!(ends(&nights, 120), Some(at("2026-12-08T03:00:00Z")));
        assert_eq!(ends(&nights, 160), Some(at("2026-12-09T01:40:00Z")));
        // A freeze from 01:30Z on lets the batch that is under way end, and no other begin that night.
        nights.push(Window { start: jiff::civil::time(2, 30, 0, 0), ..nightly(WindowUse::Freeze) });
        assert_eq!(ends(&nights, 40), Some(at("2026-12-08T01:40:00Z")));
        assert_eq!(ends(&nights, 80), Some(at("2026-12-09T01:40:00Z")));
    }
}
