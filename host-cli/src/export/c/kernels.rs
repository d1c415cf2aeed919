//! The C that sums up integers: plain, over words of four inputs, and over vectors of sixteen. Which one is compiled is decided by
//! the macro `NAME_PATH`, and all give the same results.
//!
//! | `NAME_PATH` | cores | inputs | four products |
//! |---|---|---|---|
//! | 0 | AVR, any other | bytes | four multiplications |
//! | 1 | Cortex-M0, M3, RV32 | a list of the fours that are not all zero | two multiplications |
//! | 2 | Cortex-M4, M7, M33 | the same | `SXTB16` and two `SMLAD` |
//! | 3 | Cortex-M55, M85 | blocks of sixteen that are not all zero | a quarter of a `VMLADAV` |
//!
//! The kernels are those of `selvedge::infer::mcu`, so that a core takes about the same instructions from either. On paths 1 and 2
//! compilers for Cortex-M do not keep the sums of four outputs in registers, so a function is written in assembly where they
//! take that of GNU C; `NAME_ASM` of 0 takes the C that it stands for. Paths 1 to 3 read whole words and vectors, so that lists take
//! RAM: three words for four inputs on paths 1 and 2. `NAME_PATH` of 0 takes a byte for an input.

/// What the templates have for i8 and for i4 weights.
struct Weights {
    plain: &'static str,
    kernel: &'static str,
    block: &'static str,
}

const I8: Weights = Weights {
    plain: "            a += v * READ(int8_t, w, 0);
            b += v * READ(int8_t, w, 1);
            c += v * READ(int8_t, w, 2);
            d += v * READ(int8_t, w, 3);",
    kernel: include_str!("../../../templates/c/kernel_i8.c"),
    block: "            a = vmladavaq_s8(a, v, vldrbq_s8(at));
            b = vmladavaq_s8(b, v, vldrbq_s8(at + 16));
            c = vmladavaq_s8(c, v, vldrbq_s8(at + 32));
            d = vmladavaq_s8(d, v, vldrbq_s8(at + 48));",
};

/// The exclusive or and the difference extend the nibble's sign; the upper nibble of a byte is sixteen times itself.
const I4: Weights = Weights {
    plain: "            a += v * (((READ(uint8_t, w, 0) & 15) ^ 8) - 8);
            b += v * (((READ(uint8_t, w, 0) >> 4) ^ 8) - 8);
            c += v * (((READ(uint8_t, w, 1) & 15) ^ 8) - 8);
            d += v * (((READ(uint8_t, w, 1) >> 4) ^ 8) - 8);",
    kernel: include_str!("../../../templates/c/kernel_i4.c"),
    block: "            const int8x16_t first = vldrbq_s8(at);
            const int8x16_t second = vldrbq_s8(at + 16);
            const int8x16_t upper = vdupq_n_s8(-16);
            a = vmladavaq_s8(a, v, vshlq_n_s8(first, 4));
            b = vmladavaq_s8(b, v, vandq_s8(first, upper));
            c = vmladavaq_s8(c, v, vshlq_n_s8(second, 4));
            d = vmladavaq_s8(d, v, vandq_s8(second, upper));",
};

/// What a network needs of the functions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs {
    pub four_bits: bool,
    pub wide_multipliers: bool,
    pub two_digits: bool,
    /// Layers whose activation is the ReLU, and by a table.
    pub relu: bool,
    pub table: bool,
    /// Whether something is divided by a power of two.
    pub shifts: bool,
    /// Whether the first layer's inputs come one by one, and not in patches.
    pub one_by_one: bool,
}

/// The choice of a path.
pub(super) const PATH: &str = include_str!("../../../templates/c/path.c");

impl Needs {
    /// Elements of the stored weights of an input and four outputs in plain C; bytes on every path.
    pub fn stride(self) -> &'static str {
        if self.four_bits { "2" } else { "4" }
    }

    /// The C type of the multipliers of all layers.
    pub fn multiplier(self) -> &'static str {
        if self.wide_multipliers { "uint32_t" } else { "uint16_t" }
    }

    /// The function that sums up four outputs.
    pub fn sums(self) -> &'static str {
        if self.two_digits { "@_digits" } else { "@_sums" }
    }

    /// The functions that compute a layer, as far as the network has such layers.
    pub fn functions(self) -> String {
        let Weights { plain, kernel, block } = if self.four_bits { I4 } else { I8 };
        let kernel = kernel
            .replace("THUMB2_WORDS\n", include_str!("../../../templates/c/thumb2_words.c"))
            .replace("THUMB2\n", include_str!("../../../templates/c/thumb2.c"))
            .replace("THUMB1\n", include_str!("../../../templates/c/thumb1.c"));
        let if_needed = |needed: bool, text: &'static str| if needed { text } else { "" };
        let text = [
            if_needed(self.shifts, SHIFTED),
            "\n#if UPPER_PATH == 0\n",
            include_str!("../../../templates/c/plain.c"),
            "\n#elif UPPER_PATH == 3\n",
            include_str!("../../../templates/c/blocks.c"),
            "\n#else\n",
            include_str!("../../../templates/c/quads.c"),
            "\n#endif\n",
            if_needed(self.two_digits, DIGITS),
            if_needed(self.relu || self.table, "\n#if UPPER_PATH == 3\n"),
            if_needed(self.relu, include_str!("../../../templates/c/layers_of_blocks.c")),
            if_needed(self.table, include_str!("../../../templates/c/layers_of_blocks_by_table.c")),
            if_needed(self.relu || self.table, "\n#else\n"),
            if_needed(self.relu, include_str!("../../../templates/c/layers.c")),
            if_needed(self.table, include_str!("../../../templates/c/layers_by_table.c")),
            if_needed(self.relu || self.table, "\n#endif\n"),
            LAST,
        ]
        .concat();
        let [relu, table] =
            if self.wide_multipliers { [REQUANTIZE_WIDE, LOOKED_UP_WIDE] } else { [REQUANTIZE, LOOKED_UP] };
        text.replace("PRODUCTS\n", &format!("{plain}\n"))
            .replace("UNIT", if self.four_bits { "16 * " } else { "" })
            .replace("QUAD_PUT\n", if_needed(self.one_by_one || self.relu || self.table, QUAD_PUT))
            .replace("BLOCK_PUT\n", if_needed(self.one_by_one, BLOCK_PUT))
            .replace("BLOCK\n", &format!("{block}\n"))
            .replace("KERNEL\n", &kernel)
            .replace("HIDDEN_BY\n", relu)
            .replace("LOOKED_UP_BY\n", table)
            .replace("FOUR(", &format!("{}(", self.sums()))
            .replace("LOW_OF", if self.two_digits { "low, " } else { "" })
            .replace("LOW", if self.two_digits { "const @_inputs *low, " } else { "" })
            .replace("STRIDE", self.stride())
            .replace("MULTIPLIERS", if self.wide_multipliers { "vldrwq_z_u32" } else { "vldrhq_z_u32" })
            .replace("MULTIPLIER", self.multiplier())
    }
}

const SHIFTED: &str = "
/* value / 2^bits rounded down; C leaves the right shift of what is negative to the compiler. */
static int32_t @_shifted(int32_t value, uint32_t bits)
{
    return value < 0 ? ~(~value >> bits) : value >> bits;
}
";

const QUAD_PUT: &str = "static void @_put(@_inputs *x, uint8_t code)
{
    x->four |= (uint32_t)code << 8 * (x->count++ & 3);
    if ((x->count & 3) == 0) {
        @_put_four(x, x->four);
        x->four = 0;
    }
}

";

const BLOCK_PUT: &str = "static void @_put(@_inputs *x, uint8_t code)
{
    x->bytes[x->count++] = code;
}

";

const DIGITS: &str = "
/* The sums of four outputs; inputs of 14 bits are x + low / 128. There is no low where inputs have 7 bits. */
static void @_digits(const @_inputs *x, const @_inputs *low, const @_weight *w, int32_t *sums)
{
    int32_t lows[4];
    uint32_t k;
    @_sums(x, w, sums);
    if (low == 0) {
        return;
    }
    @_sums(low, w, lows);
    for (k = 0; k < 4; k++) {
        sums[k] += @_shifted(lows[k] + 64, 7);
    }
}
";

/// `sum * multiplier` has up to 39 bits; its upper part and what the lower part carries to it fit 28.
const REQUANTIZE: &str = "
/* (sum * multiplier + 2^23) >> 24 within 0..127, which is the ReLU; the sum is below 2^23. Products of 12 bits of it fit a word. */
static uint8_t @_requantize(int32_t sum, uint16_t multiplier)
{
    const uint32_t s = sum <= 0 ? 0 : (uint32_t)sum;
    const uint32_t y = ((s >> 12) * multiplier + ((s & 0xfffu) * multiplier >> 12) + 0x800u) >> 12;
    return (uint8_t)(y > 127 ? 127 : y);
}
";

const REQUANTIZE_WIDE: &str = "
/* (sum * multiplier + 2^23) >> 24 within 0..127, which is the ReLU; the sum is below 2^23. */
static uint8_t @_requantize(int32_t sum, uint32_t multiplier)
{
    uint32_t y;
    if (sum <= 0) {
        return 0;
    }
    y = (uint32_t)(((uint64_t)(uint32_t)sum * multiplier + 0x800000u) >> 24);
    return (uint8_t)(y > 127 ? 127 : y);
}
";

const LOOKED_UP: &str = "
/* table[128 + t] with t = (sum * multiplier + 2^23) >> 24 within -128..127; the sum is below 2^23, so that 2^23 more than it is
 * positive, and products of 12 bits of that fit a word. */
static uint8_t @_looked_up(int32_t sum, uint16_t multiplier, const uint8_t *table)
{
    const uint32_t s = (uint32_t)(sum + 0x800000);
    const uint32_t product = (s >> 12) * multiplier + ((s & 0xfffu) * multiplier >> 12);
    const int32_t raised = (int32_t)product - (int32_t)((uint32_t)multiplier << 11) + 0x80800;
    if (raised < 0) {
        return READ(uint8_t, table, 0);
    }
    return READ(uint8_t, table, raised >> 20 != 0 ? 255 : raised >> 12);
}
";

const LOOKED_UP_WIDE: &str = "
/* table[128 + t] with t = (sum * multiplier + 2^23) >> 24 within -128..127; the sum is below 2^23. */
static uint8_t @_looked_up(int32_t sum, uint32_t multiplier, const uint8_t *table)
{
    const int64_t raised = (int64_t)sum * multiplier + (int64_t)0x80800000u;
    if (raised < 0) {
        return READ(uint8_t, table, 0);
    }
    return READ(uint8_t, table, raised >> 32 != 0 ? 255 : raised >> 24);
}
";

const LAST: &str = "
static void @_last(const @_inputs *x, LOWconst @_weight *w, const int32_t *biases,
                   uint32_t outputs, int32_t *logits)
{
    int32_t sums[4];
    uint32_t o;
    for (o = 0; o < outputs; o++) {
        if (o % 4 == 0) {
            FOUR(x, LOW_OFw, sums);
            w += @_step(x);
        }
        logits[o] = sums[o % 4] + READ(int32_t, biases, o);
    }
}
";
