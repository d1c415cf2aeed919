
/* Inputs in blocks of sixteen. Blocks that are all zero are left out, and the list says where the weights of the others are. */
typedef struct {
    uint8_t *bytes;
    uint32_t *list;
    uint32_t count;
    uint32_t kept;
    uint32_t offset;
} @_inputs;

static void @_start(@_inputs *x)
{
    x->count = 0;
    x->kept = 0;
    x->offset = 0;
}

BLOCK_PUT
static void @_keep(@_inputs *x, uint8x16_t block)
{
    vstrbq_u8(x->bytes + 16 * x->kept, block);
    x->list[x->kept] = x->offset;
    x->kept += vmaxvq_u8(0, block) != 0;
    x->offset += 16 * STRIDE;
}

static void @_end(@_inputs *x)
{
    uint32_t i;
    for (i = 0; i < x->count; i += 16) {
        @_keep(x, vldrbq_z_u8(x->bytes + i, vctp8q(x->count - i)));
    }
}

/* How far the weights of the next four outputs are. */
static uint32_t @_step(const @_inputs *x)
{
    return x->offset / 4;
}

/* The sums of four outputs. */
static void @_sums(const @_inputs *x, const @_weight *w, int32_t *sums)
{
    const int8_t *at = (const int8_t *)w;
    const int8_t *bytes = (const int8_t *)x->bytes;
    int32_t a = 0;
    int32_t b = 0;
    int32_t c = 0;
    int32_t d = 0;
    uint32_t i;
    if (16 * STRIDE * x->kept == x->offset) {
        for (i = 0; i < x->kept; i++, bytes += 16, at += 16 * STRIDE) {
            const int8x16_t v = vldrbq_s8(bytes);
BLOCK
        }
    } else {
        const uint32_t *const list = x->list;
        for (i = 0; i < x->kept; i++, bytes += 16) {
            const int8x16_t v = vldrbq_s8(bytes);
            at = (const int8_t *)w + list[i];
BLOCK
        }
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}
