//! Compares what boards said they raised with what the hub holds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// One raised alarm: board, boot and sequence number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub board: String,
    pub boot: (u32, u32),
    pub seq: u64,
}

impl Key {
    /// Reads a line of `watchpostd drill`: `raised <board> <counter>-<random> <seq>`, the random part in hex as boot ids are written.
    #[must_use]
    pub fn of_line(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("raised ")?.split(' ');
        let (board, boot, seq) = (words.next()?, words.next()?, words.next()?);
        let (counter, random) = boot.split_once('-')?;
        let key = Self {
            board: board.to_owned(),
            boot: (counter.parse().ok()?, u32::from_str_radix(random, 16).ok()?),
            seq: seq.parse().ok()?,
        };
        words.next().is_none().then_some(key)
    }
}

/// What the hub holds: every alarm row, in order of arrival, and what should not be there.
#[derive(Debug, Clone, Default)]
pub struct Held {
    pub alarms: Vec<Key>,
    pub gaps: u64,
    pub conflicts: u64,
}

/// The figures of a run that was judged sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    pub raised: usize,
    pub held: usize,
    /// Durable on the board, but killed before the ledger line was printed.
    pub unprinted: usize,
}

/// What the ends of boards may have hidden from the ledger: records that were durable and whose lines did not get out.
#[derive(Debug, Clone)]
pub struct Hidden {
    /// How often each board was ended.
    pub ends: BTreeMap<String, usize>,
    /// Most records that one end hides: 1 where a process was killed beside the ledger, and as many as the way to the ledger holds where
    /// the power was cut on the other side of a network.
    pub records_per_end: usize,
}

/// Sound means: nothing lost, nothing doubled, no number reused, and beside the ledger only what the end of a boot hid from it, which are
/// then the next numbers of that boot.
///
/// # Errors
/// With the first fault that was found.
pub fn judge(ledger: &[Key], held: &Held, hidden: &Hidden) -> Result<Judgement, String> {
    let raised: BTreeSet<&Key> = ledger.iter().collect();
    if raised.len() != ledger.len() {
        return Err(format!("sequence numbers reused: {:?}", repeated(ledger)));
    }
    let stored: BTreeSet<&Key> = held.alarms.iter().collect();
    if stored.len() != held.alarms.len() {
        return Err(format!("stored twice: {:?}", repeated(&held.alarms)));
    }
    let lost: Vec<_> = raised.difference(&stored).collect();
    if !lost.is_empty() {
        return Err(format!("{} raised alarms lost, first {:?}", lost.len(), lost[0]));
    }
    if (held.gaps, held.conflicts) != (0, 0) {
        return Err(format!("{} gaps and {} conflicting records in the store", held.gaps, held.conflicts));
    }
    let unprinted: Vec<&Key> = stored.difference(&raised).copied().collect();
    check_unprinted(&unprinted, &raised, hidden)?;
    Ok(Judgement { raised: raised.len(), held: stored.len(), unprinted: unprinted.len() })
}

fn check_unprinted(unprinted: &[&Key], raised: &BTreeSet<&Key>, hidden: &Hidden) -> Result<(), String> {
    let mut of_boot: BTreeMap<(&str, (u32, u32)), BTreeSet<u64>> = BTreeMap::new();
    for key in unprinted {
        of_boot.entry((&key.board, key.boot)).or_default().insert(key.seq);
    }
    let mut of_board: BTreeMap<&str, usize> = BTreeMap::new();
    for ((board, boot), numbers) in of_boot {
        let of_this_boot = |key: &&&Key| key.board == board && key.boot == boot;
        let last = raised.iter().filter(of_this_boot).map(|key| key.seq).max();
        if let (Some(last), Some(first)) = (last, numbers.first())
            && *first < last
        {
            return Err(format!(
                "{board}, boot {boot:?}: {first} is stored and was never printed, though later ones were"
            ));
        }
        if numbers.len() > hidden.records_per_end {
            return Err(format!(
                "{board}, boot {boot:?}: {} records are not in the ledger, more than the {} that its end can hide",
                numbers.len(),
                hidden.records_per_end
            ));
        }
        *of_board.entry(board).or_default() += 1;
    }
    for (board, boots) in of_board {
        let ends = hidden.ends.get(board).copied().unwrap_or(0);
        if boots > ends {
            return Err(format!(
                "{board}: {boots} boots have stored alarms that are not in the ledger, after {ends} ends"
            ));
        }
    }
    Ok(())
}

fn repeated(keys: &[Key]) -> Vec<Key> {
    let mut seen = BTreeSet::new();
    keys.iter().filter(|key| !seen.insert(*key)).take(5).cloned().collect()
}

/// Reads the hub's store from outside, beside a running or a dead hub.
///
/// # Errors
/// When it cannot be read.
pub fn read_store(path: &Path) -> rusqlite::Result<Held> {
    let connection = open(path)?;
    let mut statement =
        connection.prepare("SELECT board, boot_counter, boot_random, seq FROM alarms ORDER BY id")?;
    let rows = statement.query_map([], |row| {
        Ok(Key {
            board: row.get(0)?,
            boot: (row.get(1)?, row.get(2)?),
            seq: row.get::<_, i64>(3)?.unsigned_abs(),
        })
    })?;
    let count = |table: &str| {
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0))
    };
    Ok(Held {
        alarms: rows.collect::<rusqlite::Result<_>>()?,
        gaps: count("gaps")?.unsigned_abs(),
        conflicts: count("conflicts")?.unsigned_abs(),
    })
}

/// How many alarms the store holds; 0 while there is none.
#[must_use]
pub fn count_stored(path: &Path) -> usize {
    let count = || open(path)?.query_row("SELECT count(*) FROM alarms", [], |row| row.get::<_, i64>(0));
    if path.exists() { count().map_or(0, |count| count.unsigned_abs() as usize) } else { 0 }
}

fn open(path: &Path) -> rusqlite::Result<rusqlite::Connection> {
    let connection =
        rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    Ok(connection)
}
