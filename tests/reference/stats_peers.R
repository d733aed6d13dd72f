# Answers of coin, exactRankTests and R base to the paired data sets of ../shared/data/exact, run again.
# Run from the root of the repository (the data lie beside it):
#   Rscript tests/reference/stats_peers.R > tests/reference/stats_peers.csv
# "raw" is after - before in binary floating point, "rounded" the same rounded to 9 decimals; NA is an error.
suppressPackageStartupMessages({library(coin); library(exactRankTests)})
options(warn = -1)
cat("# Made by tests/reference/stats_peers.R; do not edit.\n")
cat("# Command: Rscript tests/reference/stats_peers.R > tests/reference/stats_peers.csv\n")
cat("#", R.version.string, "with coin", format(packageVersion("coin")), "and exactRankTests",
    format(packageVersion("exactRankTests")), "\n")
cat("set,differences,quantity,values\n")

# The file is lists, texts and numbers only, so that JSON's brackets can be read as R's own.
text <- paste(readLines("../shared/data/exact/paired_inputs.json"), collapse = " ")
for (swap in list(c("[\\[{]", "list("), c("[]}]", ")"), c("\" *:", "\" =")))
  text <- gsub(swap[1], swap[2], text)
inputs <- eval(parse(text = text))

say <- function(set, which, quantity, make) {
  values <- tryCatch(make(), error = function(e) NA)
  cat(set, which, quantity, paste(sprintf("%.17g", values), collapse = " "), sep = ",")
  cat("\n")
}

for (input in inputs) {
  before <- unlist(input$before); after <- unlist(input$after)
  diffs <- list(raw = after - before, rounded = round(after - before, 9))
  if (identical(diffs$raw, diffs$rounded)) diffs$rounded <- NULL
  for (which in names(diffs)) {
    d <- diffs[[which]]
    n <- length(d)
    y <- if (which == "raw") after else d
    x <- if (which == "raw") before else rep(0, n)
    pair <- data.frame(y = c(y, x), visit = factor(rep(c("after", "before"), each = n)),
                       patient = factor(rep(seq_len(n), 2)))
    put <- function(quantity, make) say(input$id, which, quantity, make)
    for (a in c("two.sided", "less", "greater")) {
      for (zeros in c("pratt", "wilcoxon"))
        put(paste("coin_wilcoxsign", zeros, a, sep = "_"), function() {
          test <- wilcoxsign_test(y ~ x, zero.method = c(pratt = "Pratt", wilcoxon = "Wilcoxon")[[zeros]],
                                  distribution = "exact", alternative = a)
          c(pvalue(test), midpvalue(test))
        })
      put(paste("coin_paired_permutation", a, sep = "_"), function()
        as.numeric(pvalue(oneway_test(y ~ visit | patient, data = pair, distribution = "exact",
                                      alternative = a))))
      put(paste("exactRankTests_wilcox_exact", a, sep = "_"), function() {
        test <- wilcox.exact(d, exact = TRUE, alternative = a, conf.int = TRUE)
        c(test$p.value, test$estimate, test$conf.int)
      })
      put(paste("exactRankTests_perm_test", a, sep = "_"), function()
        perm.test(d, exact = TRUE, alternative = a)$p.value)
      put(paste("stats_wilcox_exactrequested", a, sep = "_"), function() {
        test <- wilcox.test(d, exact = TRUE, alternative = a, conf.int = TRUE)
        c(test$p.value, test$estimate, test$conf.int)
      })
    }
    put("stats_wilcox_normal_nocc", function()
      wilcox.test(d, exact = FALSE, correct = FALSE)$p.value)
    put("t_test", function() { test <- t.test(d); c(test$p.value, test$conf.int) })
    put("sign_test", function() binom.test(sum(d > 0), sum(d != 0))$p.value)
  }
}
