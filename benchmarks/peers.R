# Times R's exact tests on the data that a benchmark hands over; run by benchmarks/*.py, not by hand.
# In: one data set a line, "peer size difference difference ...". Out: "peer size ms P lower upper", the least CPU
# milliseconds of a call (repeated for a third of a second, a slow one called once); "absent" where a
# package is not installed.
suppressWarnings(suppressPackageStartupMessages({
  has_coin <- require(coin, quietly = TRUE)
  has_exact <- require(exactRankTests, quietly = TRUE)
}))
options(warn = -1)
package <- function(name) if (requireNamespace(name, quietly = TRUE)) format(packageVersion(name)) else "absent"
cat("#", R.version.string, "coin", package("coin"), "exactRankTests", package("exactRankTests"), "\n")

cpu <- function() sum(proc.time()[1:2])
least <- function(call) {
  best <- Inf; spent <- 0; calls <- 1
  while (spent < 0.3) {
    start <- cpu()
    for (k in seq_len(calls)) result <- call()
    took <- cpu() - start
    spent <- spent + max(took, 1e-3)
    if (took < 0.02) calls <- calls * 4 else best <- min(best, took / calls)
  }
  list(ms = 1000 * best, result = result)
}

peers <- list(
  coin_pratt = function(d) pvalue(wilcoxsign_test(d ~ rep(0, length(d)), zero.method = "Pratt",
                                                  distribution = "exact")),
  coin_wilcoxon = function(d) pvalue(wilcoxsign_test(d ~ rep(0, length(d)), zero.method = "Wilcoxon",
                                                     distribution = "exact")),
  exactRankTests = function(d) wilcox.exact(d, exact = TRUE)$p.value,
  exactRankTests_interval = function(d) {
    test <- wilcox.exact(d, exact = TRUE, conf.int = TRUE)
    c(test$p.value, test$conf.int)
  },
  stats_interval = function(d) {
    test <- wilcox.test(d, exact = TRUE, conf.int = TRUE)
    c(test$p.value, test$conf.int)
  },
  coin_flip = function(d) {
    n <- length(d)
    pair <- data.frame(y = c(d, rep(0, n)), visit = factor(rep(1:2, each = n)),
                       patient = factor(rep(seq_len(n), 2)))
    as.numeric(pvalue(oneway_test(y ~ visit | patient, data = pair, distribution = "exact")))
  }
)

for (line in readLines(file("stdin"))) {
  words <- strsplit(line, " ")[[1]]
  d <- as.numeric(words[-(1:2)])
  missing <- (grepl("coin", words[1]) && !has_coin) || (grepl("exactRank", words[1]) && !has_exact)
  if (missing) { cat(words[1], words[2], "absent\n"); next }
  timed <- tryCatch(least(function() peers[[words[1]]](d)), error = function(e) NULL)
  if (is.null(timed)) { cat(words[1], words[2], "refused\n"); next }
  cat(words[1], words[2], sprintf("%.6g", timed$ms), sprintf("%.12g", timed$result), "\n")
}
