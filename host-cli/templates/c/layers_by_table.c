LOOKED_UP_BY
static void @_by_table(const @_inputs *x, LOWconst @_weight *w, const int32_t *biases,
                       const MULTIPLIER *multipliers, const uint8_t *table, uint32_t outputs, @_inputs *y)
{
    int32_t sums[4];
    uint32_t o;
    @_start(y);
    for (o = 0; o < outputs; o++) {
        if (o % 4 == 0) {
            FOUR(x, LOW_OFw, sums);
            w += @_step(x);
        }
        @_put(y, @_looked_up(sums[o % 4] + READ(int32_t, biases, o), READ(MULTIPLIER, multipliers, o), table));
    }
    @_end(y);
}
