
/* Inputs in fours, x0 to x3. For each four that are not all zero the list has three words: where their weights are, in bytes,
 * and what these are multiplied with. Behind the last there is an offset that carries, whatever it is added to. */
typedef struct {
    uint32_t *list;
    uint32_t *end;
    uint32_t offset;
    uint32_t sum;
    uint32_t four;
    uint32_t count;
} @_inputs;

static void @_start(@_inputs *x)
{
    x->end = x->list;
    x->offset = 0;
    x->sum = 0;
    x->four = 0;
    x->count = 0;
}

static void @_put_four(@_inputs *x, uint32_t four)
{
    if (four != 0) {
        const uint32_t even = four & 0x00ff00ffu;
        const uint32_t odd = four >> 8 & 0x00ff00ffu;
        x->end[0] = x->offset;
#if UPPER_PATH == 2
        x->end[1] = (uint32_t)__ssub16((int16x2_t)(even << 8), (int16x2_t)odd);
        x->end[2] = odd;
#else
        x->end[1] = even << 16 | even >> 16;
        x->end[2] = odd << 16 | odd >> 16;
#endif
        x->end += 3;
        x->sum += (even + odd) * 0x00010001u >> 16;
    }
    x->offset += 4 * STRIDE;
}

QUAD_PUT
static void @_end(@_inputs *x)
{
    if ((x->count & 3) != 0) {
        @_put_four(x, x->four);
    }
    x->end[0] = 0xffffffffu;
}

/* How far the weights of the next four outputs are. */
static uint32_t @_step(const @_inputs *x)
{
    return x->offset / 4;
}
KERNEL
/* The sums of four outputs. What was added to their weights, which makes them positive, is taken off. */
static void @_sums(const @_inputs *x, const @_weight *w, int32_t *sums)
{
    uint32_t products[4];
    uint32_t k;
    @_products(x->list, w, x->end, products);
    for (k = 0; k < 4; k++) {
        sums[k] = UPPER_SUM(products[k], x->sum);
    }
}
