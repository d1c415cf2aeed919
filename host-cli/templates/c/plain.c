
/* Plain C: zero inputs are skipped, and an input is loaded once for four outputs. */
typedef struct {
    uint8_t *bytes;
    uint32_t count;
} @_inputs;

static void @_start(@_inputs *x)
{
    x->count = 0;
}

static void @_put(@_inputs *x, uint8_t code)
{
    x->bytes[x->count++] = code;
}

static void @_end(const @_inputs *x)
{
    (void)x;
}

/* How far the weights of the next four outputs are. */
static uint32_t @_step(const @_inputs *x)
{
    return STRIDE * x->count;
}

/* The sums of four outputs whose weights lie side by side. A product fits the least int that C allows. */
static void @_sums(const @_inputs *x, const @_weight *w, int32_t *sums)
{
    int32_t a = 0;
    int32_t b = 0;
    int32_t c = 0;
    int32_t d = 0;
    uint32_t i;
    for (i = 0; i < x->count; i++, w += STRIDE) {
        const int v = x->bytes[i];
        if (v != 0) {
PRODUCTS
        }
    }
    sums[0] = UNITa;
    sums[1] = UNITb;
    sums[2] = UNITc;
    sums[3] = UNITd;
}
