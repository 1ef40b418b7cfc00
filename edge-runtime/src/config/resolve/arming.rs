//! Schedules, and which camera follows which.

use std::collections::BTreeMap;

use alarm_proto::CameraId;
use jiff::tz::TimeZone;

use super::Check;
use crate::arming::{Arming, Schedule, TimeOfDay, Window, time_zone, time_zone_names};
use crate::config::locate::nearest;
use crate::config::schema::{Board, Day, ScheduleSection};

const MAX_SCHEDULES: usize = 64;
const ALWAYS: &str = "always";
const NEVER: &str = "never";

/// What `armed` of a camera may name.
pub(super) struct Armings {
    schedules: BTreeMap<String, Schedule>,
    board: Arming,
}

impl Armings {
    /// What a camera without a word of its own follows.
    pub(super) fn board(&self) -> Arming {
        self.board.clone()
    }
}

impl Check<'_> {
    pub(super) fn armings(&mut self, board: &Board, raw: Vec<ScheduleSection>) -> Armings {
        let zone = self.time_zone(&board.time_zone);
        let schedules = self.schedules(&zone, raw);
        let mut armings = Armings { schedules, board: Arming::Always };
        armings.board = self.arming("board.armed", &board.armed, &armings);
        armings
    }

    /// What `armed` at `key` says.
    pub(super) fn arming(&mut self, key: &str, name: &str, armings: &Armings) -> Arming {
        match (name, armings.schedules.get(name)) {
            (ALWAYS, _) => Arming::Always,
            (NEVER, _) => Arming::Never,
            (_, Some(schedule)) => Arming::During(schedule.clone()),
            (_, None) => {
                let known: Vec<_> = armings.schedules.keys().map(|name| format!("`{name}`")).collect();
                let known = [&["`always`".to_owned(), "`never`".to_owned()], known.as_slice()].concat();
                self.wrong(key, format!("no [[schedule]] is called `{name}`; allowed: {}", known.join(", ")));
                armings.board()
            }
        }
    }

    fn time_zone(&mut self, name: &str) -> TimeZone {
        time_zone(name).unwrap_or_else(|| {
            let known: Vec<String> = time_zone_names().map(str::to_owned).collect();
            let guess = nearest(name, &known).map(|near| format!("; did you mean `{near}`?"));
            let guess = guess.unwrap_or_else(|| "; write it as Europe/Berlin".to_owned());
            self.wrong("board.time_zone", format!("`{name}` is no time zone{guess}"));
            TimeZone::UTC
        })
    }

    fn schedules(&mut self, zone: &TimeZone, raw: Vec<ScheduleSection>) -> BTreeMap<String, Schedule> {
        let mut schedules = BTreeMap::new();
        if raw.len() > MAX_SCHEDULES {
            self.wrong("schedule", format!("{} windows are more than {MAX_SCHEDULES}", raw.len()));
            return schedules;
        }
        for (index, section) in raw.into_iter().enumerate() {
            let path = format!("schedule[{index}]");
            // Every name has the same alphabet.
            self.name::<CameraId>(&format!("{path}.name"), &section.name);
            if [ALWAYS, NEVER].contains(&section.name.as_str()) {
                self.wrong(&format!("{path}.name"), format!("`{}` has a meaning already", section.name));
            }
            let window = self.window(&path, &section);
            let empty = || Schedule { zone: zone.clone(), windows: Vec::new() };
            // Also one that is wrong: whoever names it is right.
            schedules.entry(section.name).or_insert_with(empty).windows.extend(window);
        }
        schedules
    }

    fn window(&mut self, path: &str, raw: &ScheduleSection) -> Option<Window> {
        let from = self.time_of_day(&format!("{path}.from"), &raw.from);
        let until = self.time_of_day(&format!("{path}.until"), &raw.until);
        let days = raw.days.as_ref().map_or([true; 7], |days| {
            let mut chosen = [false; 7];
            days.iter().for_each(|&day| chosen[monday_first(day)] = true);
            chosen
        });
        if raw.days.as_ref().is_some_and(Vec::is_empty) {
            self.wrong(&format!("{path}.days"), "names no day; leave it out for all");
            return None;
        }
        let (from, until) = (from?, until?);
        let window = Window::new(days, from, until);
        if window.is_none() {
            let message = "covers no time; a whole day is from = \"00:00\", until = \"24:00\"";
            self.wrong(&format!("{path}.until"), message);
        }
        window
    }

    fn time_of_day(&mut self, key: &str, text: &str) -> Option<TimeOfDay> {
        text.parse().map_err(|e: String| self.wrong(key, e)).ok()
    }
}

fn monday_first(day: Day) -> usize {
    day as usize
}
