//! Firmware projects: what they hold, what is refused, and that nothing half-written is ever there. `tests/firmware/run`
//! builds and runs them.

mod support;

use std::fs;
use std::path::Path;

use host_cli::data::idx;
use host_cli::firmware::boards::{self, BOARDS};
use host_cli::{estimate, memory};
use selvedge::format::{Dtype, InputMap, InputType, ModelView, Packing, Task};
use serde_json::Value;
use support::files::Spec;
use support::{fails, small_data, succeeds};

const I8: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/i8.selv");
const I4: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/i4.selv");
const SENSOR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/sensor.selv");
const F32: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/f32.selv");

fn export<'a>(model: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["export", model, "--format", "firmware", "-o", "fw"], more].concat()
}

fn text(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join("fw").join(name)).unwrap()
}

#[test]
fn every_board_has_a_core_and_its_memory() {
    for board in BOARDS {
        let core = estimate::core(board.core).unwrap();
        let families = boards::core_of(board.target, board.cpu).unwrap();
        assert_eq!(estimate::core(families).unwrap().packing, core.packing, "{}", board.name);
        assert!(board.chip.is_some() || board.machine.is_some(), "{}", board.name);
        assert!(board.memory_x().contains("RAM : ORIGIN = "), "{}", board.memory_x());
        assert_eq!(boards::board(board.name), Some(board));
    }
    assert_eq!(boards::board("an386").unwrap().machine, Some("mps2-an386"));
    assert!(
        boards::board("pico").unwrap().memory_x().contains("FLASH : ORIGIN = 0x10000100, LENGTH = 2096896\n")
    );
}

#[test]
fn files_of_sensors_have_a_program_of_rows() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let printed = succeeds(here, &export(SENSOR, &["--board", "mps2-an386", "--json"]));
    let said: Value = serde_json::from_str(&printed).unwrap();
    // Three rows until the first window, one to each of nine others: two values each.
    assert_eq!(said["images"], 12);
    assert_eq!(fs::read(here.join("fw/rows.bin")).unwrap().len(), 12 * 2 * 2);
    assert!(!here.join("fw/images.idx").exists());
    let main = text(here, "src/main.rs");
    assert!(main.contains("mcu::AnyI8Engine<'static>") && main.contains("type Raw = i16;"), "{main}");
    assert!(!main.contains("<raw>") && text(here, "README.md").contains("`rows.bin`"));
    let words = export(SENSOR, &["--board", "mps2-an386", "--data", "demo", "--overwrite"]);
    assert!(fails(here, &words, 2).contains("rows.bin, 2 little-endian i16 each"));
}

#[test]
fn the_memory_of_rows_and_answers_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let spec = |wide| Spec {
        dtype: Dtype::I4,
        task: Task::Values,
        input: (InputType::F32, InputMap::AffinePerFeature, 14),
        ..Spec::new(&[wide, 4, wide])
    };
    // The scratch is half of it; a row of f32, as many outputs and as many values take the rest.
    fs::write(here.join("wide.selv"), &*spec(1024).build(1)).unwrap();
    let line = fails(here, &export("wide.selv", &["--board", "microbit"]), 6);
    assert!(line.contains("bytes of RAM needed, 16384 there"), "{line}");
    // Packed for no core, it has a smaller scratch.
    let line = fails(here, &["estimate", "wide.selv", "--target", "m0", "--ram", "14K"], 6);
    assert!(line.contains("bytes of RAM needed, 14336 there"), "{line}");
    fs::write(here.join("half.selv"), &*spec(512).build(1)).unwrap();
    let printed = succeeds(here, &export("half.selv", &["--board", "microbit", "--json"]));
    let said: Value = serde_json::from_str(&printed).unwrap();
    // Row, outputs and values; both digits of 128 quads, and one group of sums; the stack.
    assert_eq!(said["ram_bytes"], 3 * 4 * 512 + 4 * (4 * 128 + 1) + 620);

    // A window of three rows of two i16, the row, and three outputs.
    let printed = succeeds(here, &["estimate", SENSOR, "--target", "m4"]);
    assert!(printed.contains("window, row, activations and answers"), "{printed}");
}

#[test]
fn a_project_is_whole_and_packed_for_its_board() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for (board, packing, runner) in [
        ("nucleo-f401re", Packing::CortexM4, "runner = \"probe-rs run --chip STM32F401RETx\""),
        ("microbit", Packing::CortexM0, "runner = \"qemu-system-arm -M microbit "),
        ("mps3-an547", Packing::CortexM55, "-Ctarget-cpu=cortex-m55"),
        ("riscv-virt", Packing::CortexM0, "runner = \"qemu-system-riscv32 -bios none -M virt "),
    ] {
        let printed = succeeds(here, &export(I8, &["--board", board, "--overwrite", "--json"]));
        let said: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!((&said["board"], &said["packing"]), (&board.into(), &packing.name().into()));
        let bytes =
            memory::Bytes::copy_of(&fs::read(here.join("fw/model.selv")).unwrap(), "the file").unwrap();
        let image = ModelView::parse(&bytes).unwrap();
        assert_eq!(image.header().packing(), packing);
        let counter = fs::read_to_string(here.join("fw/src/cycles.rs")).unwrap();
        let name = match board {
            "nucleo-f401re" | "mps3-an547" => "&str = \"DWT\";",
            "microbit" => "&str = \"SysTick (in QEMU its own time, not a core's cycles)\";",
            _ => "&str = \"mcycle (in QEMU its own time, not a core's cycles)\";",
        };
        assert!(counter.contains(name), "{board}: {counter}");
        let images = idx::parse_images("images", &fs::read(here.join("fw/images.idx")).unwrap()).unwrap().0;
        assert_eq!(images.rows * images.cols, image.header().inputs());
        assert_eq!(said["images"], images.count);
        let config = text(here, ".cargo/config.toml");
        assert!(config.contains(runner), "{config}");
        config.parse::<toml::Table>().unwrap();
        let manifest: toml::Table = text(here, "Cargo.toml").parse().unwrap();
        let core = &manifest["dependencies"]["selvedge"];
        assert_eq!(core["default-features"].as_bool(), Some(false));
        assert!(Path::new(core["path"].as_str().unwrap()).join("src/infer/mcu/mod.rs").is_file());
        assert!(text(here, "src/main.rs").contains("selvedge::infer::mcu"));
        assert!(text(here, "memory.x").contains("FLASH : ORIGIN"));
    }
    // Nothing but the folder is there: no temporary names.
    assert_eq!(fs::read_dir(here).unwrap().count(), 1);
    // The program chooses its engine by the type of its model while it is compiled.
    succeeds(here, &export(I4, &["--board", "pico", "--overwrite"]));
    let bytes = memory::Bytes::copy_of(&fs::read(here.join("fw/model.selv")).unwrap(), "the file").unwrap();
    assert_eq!(ModelView::parse(&bytes).unwrap().header().dtype(), Dtype::I4);
    assert!(
        text(here, "src/main.rs").contains("mod boot;")
            && text(here, "src/main.rs").contains("matches!(HEADER.dtype(), Dtype::I4)")
    );
    assert!(
        text(here, "Cargo.toml").contains("rp2040-boot2") && text(here, "src/boot.rs").contains(".boot2")
    );
    // The images of a data set.
    small_data(here);
    let refused = fails(here, &export(I8, &["--board", "pico", "--overwrite", "--data", "data"]), 4);
    assert!(refused.contains("6 x 6 pixels"), "{refused}");
}

#[test]
fn a_board_of_your_own() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let all = "--board custom --target thumbv8m.main-none-eabihf --cpu cortex-m33 --flash-start 0x08000000 \
               --flash-size 512K --ram-start 0x2000_0000 --ram-size 96K --chip STM32L552ZETxQ";
    let words: Vec<&str> = all.split_whitespace().collect();
    succeeds(here, &export(I8, &words));
    assert_eq!(
        text(here, "memory.x"),
        "MEMORY\n{\n  FLASH : ORIGIN = 0x08000000, LENGTH = 512K\n  RAM : ORIGIN = 0x20000000, LENGTH = 96K\n}\n"
    );
    let config = text(here, ".cargo/config.toml");
    assert!(config.contains("target = \"thumbv8m.main-none-eabihf\""), "{config}");
    assert!(config.contains("cortex-m33") && config.contains("--chip STM32L552ZETxQ"), "{config}");
    for missing in ["--target", "--flash-start", "--flash-size", "--ram-start", "--ram-size"] {
        let at = words.iter().position(|w| *w == missing).unwrap();
        let words = [&words[..at], &words[at + 2..], &["--overwrite"]].concat();
        assert!(fails(here, &export(I8, &words), 2).contains(&format!("needs {missing}")));
    }
    let words = ["--board", "custom", "--target", "avr-unknown-none", "--overwrite"];
    assert!(fails(here, &export(I8, &words), 2).contains("thumbv6m-none-eabi"));
    let words = ["--board", "pico", "--ram-size", "1K", "--overwrite"];
    assert!(fails(here, &export(I8, &words), 2).contains("--board custom"));
}

#[test]
fn refusals_leave_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let line = fails(here, &export(I8, &["--board", "nucleo-f401"]), 2);
    assert!(
        line.contains("did you mean nucleo-f401re?") && line.contains("riscv-virt, and custom"),
        "{line}"
    );
    assert!(fails(here, &export(I8, &[]), 2).contains("needs --board: microbit"));
    assert!(fails(here, &export(F32, &["--board", "pico"]), 2).contains("selvedge quantize"));
    let line = fails(here, &export(I8, &["--board", "pico", "--packing", "cortex-m4"]), 2);
    assert!(line.contains("the board decides"), "{line}");
    assert!(
        fails(here, &["export", I8, "--format", "c", "-o", "a.c", "--board", "pico"], 2)
            .contains("--board goes")
    );
    let line = fails(here, &export(I8, &["--board", "pico", "--selvedge-path", "."]), 2);
    assert!(line.contains("the crate selvedge is not there"), "{line}");
    let small = "--board custom --target thumbv6m-none-eabi --flash-start 0 --flash-size 2K --ram-start 0x20000000 \
                 --ram-size 100";
    let line = fails(here, &export(I8, &small.split_whitespace().collect::<Vec<_>>()), 6);
    assert!(
        line.contains("bytes of flash needed, 2048 there") && line.contains("bytes of RAM needed, 100"),
        "{line}"
    );
    assert_eq!(fs::read_dir(here).unwrap().count(), 0);

    succeeds(here, &export(I8, &["--board", "pico"]));
    assert!(fails(here, &export(I8, &["--board", "pico"]), 2).contains("add --overwrite"));
    fs::create_dir(here.join("letters")).unwrap();
    fs::write(here.join("letters/one"), "dear").unwrap();
    let words = ["export", I8, "--format", "firmware", "--board", "pico", "-o", "letters", "--overwrite"];
    assert!(fails(here, &words, 2).contains("holds something else"));
    assert_eq!(fs::read_to_string(here.join("letters/one")).unwrap(), "dear");
    assert_eq!(fs::read_dir(here).unwrap().count(), 2);
}
