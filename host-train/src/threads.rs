//! The same work on several inputs at the same time.

/// What each thread gives, in the order of the inputs; a panic goes on here.
pub(crate) fn in_threads<I: Send, O: Send>(inputs: Vec<I>, work: impl Fn(I) -> O + Sync) -> Vec<O> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = inputs.into_iter().map(|input| scope.spawn(move || work(input))).collect();
        let give = |thread: std::thread::ScopedJoinHandle<'_, O>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(give).collect()
    })
}
