//! A runtime as a process that is asked for runs.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};

/// A running process, bound to one core.
pub struct Runtime {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// Where it writes features.
    features: PathBuf,
}

impl Runtime {
    /// Starts `program` with `args` on core `core`, where this machine can bind a process to one.
    pub fn start(program: &Path, args: &[String], core: Option<usize>, features: PathBuf) -> Result<Self> {
        let mut command = match core {
            Some(core) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &core.to_string()]).arg(program);
                command
            }
            None => Command::new(program),
        };
        // One thread, also in libraries below the runtime.
        command.args(args).env("OMP_NUM_THREADS", "1").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("a pipe")?);
        Ok(Self { child, input, output, features })
    }

    fn ask(&mut self, line: &str) -> Result<String> {
        let input = self.input.as_mut().context("a runtime that was not ended")?;
        writeln!(input, "{line}")?;
        input.flush()?;
        let mut answer = String::new();
        self.output.read_line(&mut answer)?;
        ensure!(!answer.is_empty(), "the runtime ended; its reason is above");
        Ok(answer.trim().to_owned())
    }

    /// Milliseconds of each of `clips` passes over sixteen frames, after one that is not counted.
    pub fn run_ms(&mut self, clips: usize) -> Result<Vec<f64>> {
        let answer = self.ask(&format!("run {}", clips + 1))?;
        let times = answer.split_whitespace().map(|ns| Ok(ns.parse::<f64>()? * 1e-6));
        let times: Vec<f64> = times.collect::<Result<_>>()?;
        ensure!(times.len() == clips + 1, "{} times instead of {}", times.len(), clips + 1);
        Ok(times[1..].to_vec())
    }

    /// What it makes of the frames.
    pub fn features(&mut self) -> Result<Vec<f32>> {
        let file = self.features.clone();
        self.ask(&format!("output {}", file.display()))?;
        floats(&file)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        drop(self.input.take());
        // It ends with its input; how does not matter any more.
        let _ = self.child.wait();
    }
}

/// Little-endian f32, one behind the other.
pub fn floats(file: &Path) -> Result<Vec<f32>> {
    let bytes = std::fs::read(file).with_context(|| format!("{}", file.display()))?;
    let (words, _) = bytes.as_chunks::<4>();
    Ok(words.iter().map(|&word| f32::from_le_bytes(word)).collect())
}

/// As [`floats`] reads them.
pub fn write_floats(file: &Path, values: &[f32]) -> Result<()> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(file, bytes).with_context(|| format!("{}", file.display()))
}
