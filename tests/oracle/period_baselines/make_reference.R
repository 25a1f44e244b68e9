# SIMULATED: crossovers of two and three periods with a baseline in each. Values of lm, lme4, lmerTest and pbkrtest.
# Rscript make_reference.R
suppressMessages({library(lme4); library(lmerTest); library(jsonlite)})
set.seed(20100)
make <- function(prefix, orders, n, effect) {
  do.call(rbind, lapply(seq_len(n), function(k) {
    order <- orders[[(k - 1) %% length(orders) + 1]]
    p <- length(order)
    u <- rnorm(1, 0, 1); v <- rnorm(1, 0, 0.8)  # of the participant, the second in the outcome alone
    day <- rnorm(p, 0, 0.8)  # what baseline and outcome of one period share
    b <- 1 + u + day + rnorm(p, 0, 0.4)
    y <- 2 + u + v + day + seq_len(p) * 0.2 + effect[order] + rnorm(p, 0, 0.5)
    data.frame(subject = sprintf("%s%02d", prefix, k), sequence = paste(order, collapse = "_"),
               period = seq_len(p), treatment = order, b = round(b, 4), y = round(y, 4))
  }))
}
effect <- c(KET = 0.9, LTG = 0.3, PLA = 0)
two <- make("a", list(c("KET", "PLA"), c("PLA", "KET")), 17, effect)
all_orders <- list(c("KET", "LTG", "PLA"), c("LTG", "PLA", "KET"), c("PLA", "KET", "LTG"),
                   c("KET", "PLA", "LTG"), c("LTG", "KET", "PLA"), c("PLA", "LTG", "KET"))
three <- make("b", all_orders, 18, effect)
two$b_missing <- replace(two$b, c(4, 11, 30), NA)  # a period without its baseline does not count
three$b_missing <- replace(three$b, c(2, 17, 18, 33, 50), NA)
write.csv(two, "two.csv", row.names = FALSE, quote = FALSE, na = "")
write.csv(three, "three.csv", row.names = FALSE, quote = FALSE, na = "")

answer <- list(versions = list(R = R.version.string, lme4 = as.character(packageVersion("lme4")),
  lmerTest = as.character(packageVersion("lmerTest")), pbkrtest = as.character(packageVersion("pbkrtest"))))
numbers <- function(row) list(estimate = row[["Estimate"]], se = row[["Std. Error"]], t = row[["t value"]])

early <- two[two$period == 1, ]; late <- two[two$period == 2, ]
d <- data.frame(y = (early$y - late$y) / 2, b = (early$b - late$b) / 2, order = early$treatment == "KET")
fit <- lm(y ~ order + b, d)
answer$halves <- c(numbers(coef(summary(fit))["orderTRUE", ]), df = fit$df.residual, slope = coef(fit)[["b"]])

fixed <- function(frame, b) {
  own <- frame[!is.na(frame[[b]]), ]
  own$before <- own[[b]]
  own <- own[ave(own$period, own$subject, FUN = length) > 1, ]  # one period alone compares nothing
  own$treatment <- relevel(factor(own$treatment), "PLA")
  fit <- lm(y ~ treatment + factor(period) + factor(subject) + before, own)
  c(numbers(coef(summary(fit))["treatmentKET", ]), df = fit$df.residual, slope = coef(fit)[["before"]])
}
answer$periods <- list(b = fixed(three, "b"), b_missing = fixed(three, "b_missing"))

random <- function(frame, b) {
  own <- frame[!is.na(frame[[b]]), ]
  own$between <- ave(own[[b]], own$subject)
  own$within <- own[[b]] - own$between
  own$treatment <- relevel(factor(own$treatment), "PLA")
  fit <- lmer(y ~ treatment + factor(period) + sequence + within + between + (1 | subject), own, REML = TRUE,
              control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10)))
  one <- function(ddf) {
    t <- contest1D(fit, as.numeric(names(fixef(fit)) == "treatmentKET"), ddf = ddf)
    list(estimate = t[["Estimate"]], se = t[["Std. Error"]], df = t[["df"]])
  }
  list(satterthwaite = one("Satterthwaite"), kenward_roger = one("Kenward-Roger"))
}
for (name in c("two", "three")) {
  frame <- get(name)
  answer[[name]] <- list(b = random(frame, "b"), b_missing = random(frame, "b_missing"))
}
write_json(answer, "period_baselines.json", auto_unbox = TRUE, digits = NA, pretty = TRUE)
