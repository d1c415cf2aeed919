//! The integer kernel that this host runs in a microcontroller's place, against plain loops.

#[path = "firmware/src/differential.rs"]
mod differential;

use selvedge::format::{Dtype, Header, HeaderBuf, InputMap, InputType, ModelView, Packing, Task};
use selvedge::{Error, Shape, infer::Profile, infer::integer, infer::mcu};

#[test]
fn the_kernel_gives_what_plain_loops_give() {
    let mut memory = Box::new(differential::Memory::new());
    let images = differential::check(&mut memory).unwrap();
    assert!(images > 300, "{images}");
}

#[test]
fn the_kernel_for_every_file_gives_what_plain_loops_give() {
    let mut memory = Box::new(differential::Memory::new());
    let samples = differential::any::check(&mut memory).unwrap();
    assert_eq!(samples, 9 * 48 * 5 * 2);
}

#[test]
fn another_cores_file_is_an_error_that_says_what_to_do() {
    const M4: &[u8] = selvedge::include_model!("../fixtures/i8-cortex-m4.selv");
    const M0: &[u8] = selvedge::include_model!("../fixtures/i8-cortex-m0.selv");
    assert_eq!(mcu::PACKING, Packing::CortexM0);
    let refused = mcu::I8Engine::new(ModelView::parse(M4).unwrap()).unwrap_err();
    assert_eq!(refused, Error::PackedFor { found: "cortex-m4", expected: "cortex-m0" });
    assert!(refused.to_string().contains("--packing cortex-m0"), "{refused}");

    // The engine that reads any packing gives the same as the core's own.
    let (image, other) =
        (ModelView::parse(M0).unwrap(), integer::Engine::new(ModelView::parse(M4).unwrap()).unwrap());
    let own = mcu::I8Engine::new(image).unwrap();
    let shape = own.view().header();
    let pixels: Vec<u8> = (0..shape.inputs()).map(|i| (i * 37 % 256) as u8).collect();
    let mut scratch = vec![0; mcu::I8Engine::scratch_words(own.view().header())];
    let mut words = vec![0; integer::Engine::scratch_words(other.view().header())];
    let (mut a, mut b) = (vec![0; shape.outputs()], vec![1; shape.outputs()]);
    let class = own.classify(&pixels[..], &mut scratch, &mut a).unwrap();
    assert_eq!(other.classify(&pixels[..], &mut words, &mut b).unwrap(), class);
    assert_eq!(a, b);
    own.self_test(&mut scratch, &mut a).unwrap();
}

#[test]
fn each_type_of_weights_has_its_model() {
    const I8: &[u8] = selvedge::include_model!("../fixtures/i8-cortex-m0.selv");
    const I4: &[u8] = selvedge::include_model!("../fixtures/i4-cortex-m0.selv");
    const _: () = assert!(mcu::I8Engine::runs(&header(I8)) && !mcu::I8Engine::runs(&header(I4)));
    const _: () = assert!(mcu::I4Engine::runs(&header(I4)) && !mcu::I4Engine::runs(&header(I8)));
    let refused = |e: Option<Error>| matches!(e, Some(Error::Dtype { .. }));
    assert!(refused(mcu::I8Engine::new(ModelView::parse(I4).unwrap()).err()));
    assert!(refused(mcu::I4Engine::new(ModelView::parse(I8).unwrap()).err()));
    let engine = mcu::I4Engine::new(ModelView::parse(I4).unwrap()).unwrap();
    let mut scratch = [0; mcu::I4Engine::scratch_words(&header(I4))];
    engine.self_test(&mut scratch, &mut [0; 5]).unwrap();
}

const fn header(file: &[u8]) -> Header<'_> {
    match Header::read(file) {
        Ok(header) => header,
        Err(_) => panic!(),
    }
}

#[test]
fn wrong_lengths_are_errors() {
    const M0: &[u8] = selvedge::include_model!("../fixtures/i8-cortex-m0.selv");
    let engine = mcu::I8Engine::new(ModelView::parse(M0).unwrap()).unwrap();
    let header = engine.view().header();
    let (words, inputs, outputs) = (mcu::I8Engine::scratch_words(header), header.inputs(), header.outputs());
    let mut scratch = vec![0; words];
    let mut logits = vec![0; outputs];
    let pixels = vec![9_u8; inputs];
    let what = |result: Result<(), Error>| match result {
        Err(Error::Length { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(what(engine.logits(&pixels[1..], &mut scratch, &mut logits)), "values of a sample");
    assert_eq!(what(engine.logits(&pixels[..], &mut scratch[1..], &mut logits)), "scratch words");
    assert_eq!(what(engine.logits(&pixels[..], &mut scratch, &mut logits[1..])), "logits");
    assert!(engine.pixels(&mut scratch[1..]).is_empty());
    assert_eq!(engine.pixels(&mut scratch).len(), inputs);
}

/// Another core's profile says the memory of any core, on this host.
#[test]
fn the_raw_sample_and_the_outputs_of_a_score_are_not_counted() {
    let bytes = |task, bits, packing| {
        let header = HeaderBuf::new(Shape::new(&[64, 32, 64]).unwrap(), Dtype::I8, packing).unwrap();
        let header =
            header.with_input(InputType::F32, InputMap::Affine, bits).unwrap().with_task(task).unwrap();
        let profile = Profile::AnyCore(Dtype::I8, packing);
        assert_eq!(profile.check(&header.header()), Ok(()));
        assert_eq!(Profile::Core(Dtype::I8, packing).check(&header.header()), Err(Error::NotPlain));
        profile.ram_bytes(&header.header())
    };
    // The pairs of 16 quads, or of both digits; 8 words of outputs.
    assert_eq!(bytes(Task::Reconstruction, 7, Packing::CortexM4), 4 * (2 * 16 + 8));
    assert_eq!(bytes(Task::Reconstruction, 14, Packing::CortexM4), 4 * (4 * 16 + 8));
    assert_eq!(bytes(Task::Values, 14, Packing::CortexM4), 4 * (4 * 16 + 8) + 4 * 64);
    // Four blocks of inputs, two of hidden outputs, four entries; the low digits.
    assert_eq!(bytes(Task::Reconstruction, 7, Packing::CortexM55), 4 * (16 + 8 + 4));
    assert_eq!(bytes(Task::Reconstruction, 14, Packing::CortexM55), 4 * (16 + 8 + 4 + 16));
}
