//! Functions in Thumb assembly: the directives around each, written once for every kernel of a Cortex-M.
//!
//! ```text
//! thumb_functions!(r#"
//!     SELVEDGE_FUNCTION selvedge_name     a section of its own, so that the linker drops a function nothing calls
//!     ...                                 instructions; braces need no escape
//!     SELVEDGE_END selvedge_name
//! "#);
//! ```

/// Assembles functions for the module. Both assembler macros end with the invocation, since every module of the crate may
/// be assembled as one file.
macro_rules! thumb_functions {
    ($($text:expr),+ $(,)?) => {
        core::arch::global_asm!(
            r#"
    .syntax unified
    .thumb
    .macro SELVEDGE_FUNCTION name
    .section .text.\name,"ax",%progbits
    .p2align 2
    .type \name,%function
    .thumb_func
\name:
    .endm
    .macro SELVEDGE_END name
    .size \name, . - \name
    .endm
"#,
            $($text,)+
            ".purgem SELVEDGE_FUNCTION",
            ".purgem SELVEDGE_END",
            options(raw)
        );
    };
}

pub(crate) use thumb_functions;
