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

/// Sound means: nothing lost, nothing doubled, no number reused, and beside the ledger only what a kill hid from it.
///
/// `kills` counts the kills of each board. A kill may hide one record: the one that was durable and not yet printed,
/// which is then the next number of its boot.
pub fn judge(ledger: &[Key], held: &Held, kills: &BTreeMap<String, usize>) -> Result<Judgement, String> {
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
    check_unprinted(&unprinted, &raised, kills)?;
    Ok(Judgement { raised: raised.len(), held: stored.len(), unprinted: unprinted.len() })
}

fn check_unprinted(
    unprinted: &[&Key],
    raised: &BTreeSet<&Key>,
    kills: &BTreeMap<String, usize>,
) -> Result<(), String> {
    let mut of_boot: BTreeMap<(&str, (u32, u32)), usize> = BTreeMap::new();
    let mut of_board: BTreeMap<&str, usize> = BTreeMap::new();
    for key in unprinted {
        let last = raised
            .iter()
            .filter(|other| other.board == key.board && other.boot == key.boot)
            .map(|other| other.seq)
            .max();
        if last.is_some_and(|last| key.seq < last) {
            return Err(format!(
                "{key:?} is stored and was never printed, though later ones of its boot were"
            ));
        }
        let in_boot = of_boot.entry((&key.board, key.boot)).or_default();
        *in_boot += 1;
        if *in_boot > 1 {
            return Err(format!("{key:?}: a boot hid more than one record from the ledger"));
        }
        *of_board.entry(&key.board).or_default() += 1;
    }
    for (board, hidden) in of_board {
        let killed = kills.get(board).copied().unwrap_or(0);
        if hidden > killed {
            return Err(format!(
                "{board}: {hidden} stored alarms are not in the ledger, after {killed} kills"
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
