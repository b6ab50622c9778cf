"""Simulation of Routee's behaviour over time: virtual clock, scheduler, scripted outcomes, timelines, event bus."""
