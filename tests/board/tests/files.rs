//! The board files parse, and what stands in them is plausible.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use board_tests::Board;
use board_tests::spec::Budget;

#[test]
fn every_board_file_is_complete() {
    let boards = Board::all().unwrap();
    assert!(boards.len() >= 7);
    for board in boards {
        let read_by_name = Board::read(&board.name).unwrap();
        assert_eq!(read_by_name.summary, board.summary, "the file has the board's name");
        assert!(!board.summary.is_empty());
        assert_eq!(board.triple.split('-').count(), 4, "{}", board.triple);
        let understood = ["MJPG", "JPEG", "YUYV", "NV12", "GREY"];
        assert!(board.camera.formats.iter().all(|f| understood.contains(&f.as_str())), "{board:?}");
        let lines =
            board.gpio.iter().map(|gpio| (gpio.siren_line.to_string(), gpio.acknowledge_line.to_string()));
        lines.for_each(|(siren, button)| assert_ne!(siren, button));
        let Budget { binary_bytes, memory_bytes, clip_ms, outbox_bytes } = board.budget;
        assert!(binary_bytes < memory_bytes && clip_ms > 0 && outbox_bytes >= 65_536, "{board:?}");
    }
}
