package remedy

import (
	"errors"

	"constat/internal/fault"
)

// What a person at the machine is told where it did not work, beside the reason,
// which is for technicians: no name of a service, no path.
var (
	toldBusy = both("Another repair is under way on this computer: try again when it has ended.",
		"Une autre réparation est en cours sur cet ordinateur : réessayez quand elle sera terminée.")
	toldUnwritten = both("This computer could not write down what it was about to do, and so did nothing. Its disk may be full.",
		"Cet ordinateur n’a pas pu noter ce qu’il allait faire ; il n’a donc rien fait. Son disque est peut-être plein.")
	toldUnknown = both("The program on this computer does not know this repair, or this fault: a technician has to update it.",
		"Le logiciel de cet ordinateur ne connaît pas cette réparation, ou cette panne : un technicien doit le mettre à jour.")
	toldNobody   = both("Nobody at this computer agreed to it in time.", "Personne n’a donné son accord à temps sur cet ordinateur.")
	toldLate     = both("The agreement came too late: it has to be asked for again.", "L’accord est arrivé trop tard : il faut le redemander.")
	toldNameless = both("What it should be done to has no name that this computer knows.", "Cet ordinateur ne connaît pas ce nom.")
	toldNeedless = both("Not needed: the fault is not there.", "Inutile : la panne n’est pas là.")
	toldUnseen   = both("Whether the fault is there could not be seen, so nothing was done. Run a diagnosis first.",
		"La panne n’a pas pu être vérifiée ; rien n’a donc été fait. Lancez d’abord un diagnostic.")
	toldForbidden = both("This computer, or your organisation’s rules, do not allow it: a technician has to do it.",
		"Cet ordinateur, ou les règles de votre organisation, ne le permettent pas : un technicien doit s’en charger.")
	toldNothing = both("This computer has nothing that it could be done with: a technician has to do it in another way.",
		"Cet ordinateur n’a pas ce qu’il faut pour cela : un technicien doit s’y prendre autrement.")
	toldStill   = both("It was done, and the fault is still there.", "Cela a été fait, mais la panne est toujours là.")
	toldUnclear = both("It was done. Whether the fault is gone could not be seen.", "Cela a été fait. Impossible de vérifier si la panne a disparu.")
	toldHalf    = both("It did not help, and could not be taken back: a technician has to look at it.",
		"Cela n’a pas aidé et n’a pas pu être annulé : un technicien doit s’en occuper.")
	toldCut = both("It was interrupted, as this computer or its service was stopped meanwhile.",
		"L’opération a été interrompue : l’ordinateur ou son service s’est arrêté entre-temps.")
)

// obstructed is what a person is told of an obstacle.
func obstructed(err error) fault.Text {
	var o obstacle
	if errors.As(err, &o) {
		return fault.Text{EN: sentence(o.EN, "") + ".", FR: sentence(o.FR, "") + "."}
	}
	return toldForbidden
}
