"""The laws that people live by where a scenario names them (`people.laws`), a module each.

    choosing    what is taken of a slate                 proportional, sequential, each, attention
    attraction  what utility makes of an item            exponential, linear, sigmoid, double-sigmoid
    tastes      how tastes change                        reinforcement, walk, slerp
    exposure    what satisfaction follows                exposure
    budget      leaving when time or interest is used up
    temper      leaving when slates bring too little
    journey     leaving by a chain of states
    stopping    leaving by counts, and by how long one meant to stay
    returning   when people come back                    day
    seconds     what a turn takes

`conduct` puts them together for a crowd; `alone` has the same equations for one person.
"""
